"""What the runner needs from outside: a journal for what it does, a model, and a way to call tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from agent.loop.intents import Intent
    from agent.loop.plan import OfferedTool
    from llmconfig.llm import JSONObject, Provider, ToolResult


class Journal(Protocol):
    """emit is immediate and never blocks: a live event of the run. commit makes an intent durable first and answers when it is.

    A commit is atomic for cancellation: it ends before a cancel of the runner's task takes effect.
    """

    def emit(self, type: str, data: dict[str, Any]) -> int: ...

    async def commit(self, intent: Intent) -> Any: ...

    async def flush(self) -> None:
        """Return when every event emitted so far is in the log."""
        ...


class OpenProvider(Protocol):
    async def __call__(self) -> Provider:
        """The client of the run's deployment, from the worker's pool. Raises a ProviderError, or AttemptFailed."""
        ...


class ToolCaller(Protocol):
    async def __call__(self, tool: OfferedTool, call_id: str, arguments: JSONObject) -> ToolResult:
        """Call the tool at its service. Faults of the service come back as a result with is_error, never as an exception."""
        ...


class Stop:
    """Why the runner's task is being cancelled. Set it, then cancel the task. detail: why a run may not go on, in words."""

    __slots__ = ("detail", "reason")

    def __init__(self) -> None:
        self.reason: Literal["", "user", "deadline", "revoked", "shutdown", "stale"] = ""
        self.detail = ""
