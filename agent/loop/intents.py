"""What must be durable before the loop goes on.

The task's thread commits an intent with the run's fence; one that the fence refuses raises `FenceLost`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from agent.loop.plan import Deployment, OfferedTool
    from llmconfig.llm import Finished, Message, RateLimits, ToolCall, ToolResult, Usage


class FenceLost(Exception):
    """Another worker has taken this run, or it was ended from outside: nothing more may be written."""


@dataclass(frozen=True, slots=True)
class RevealKey:
    """This worker holds no client of the run's model yet: open what one takes, for this once, and audit that.

    Answer: llmconfig's `Revealed`, or why there is none, `Unopened`.
    """


@dataclass(frozen=True, slots=True)
class RevealService:
    """The same for a session with a service. Answer: agent.mcp's Endpoint with what opens it, or `Unopened`."""

    endpoint: str


@dataclass(frozen=True, slots=True)
class Unopened:
    """Answer to RevealKey and RevealService: kind and detail go to the user."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class BeginAttempt:
    """The request is about to be sent. The row stands before the dispatch."""

    step: int
    attempt: str
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class CallDecision:
    """A requested call and where it goes from here."""

    call: ToolCall
    tool: OfferedTool | None
    state: Literal["requested", "waiting", "refused"]


@dataclass(frozen=True, slots=True)
class EndAttempt:
    """The request is over, well or badly. message is what it said (possibly partial), with its tool calls.

    latency_ms and ttft_ms (to the first text, thinking or call) are whole milliseconds.
    """

    step: int
    attempt: str
    deployment: Deployment
    status: Literal["completed", "failed", "cancelled"]
    usage: Usage
    latency_ms: int
    ttft_ms: int | None
    message: Message | None = None
    finished: Finished | None = None
    calls: tuple[CallDecision, ...] = ()
    error_kind: str = ""
    error_detail: str = ""
    limits: RateLimits | None = None


@dataclass(frozen=True, slots=True)
class AttemptSettled:
    """Answer to EndAttempt: the message as the API shows it, the cost (a decimal string; None is unknown), when waiting calls expire."""

    message: dict[str, Any] | None
    cost: str | None
    currency: str
    evidence: str
    expires_at: str | None


@dataclass(frozen=True, slots=True)
class DispatchTools:
    """These calls are about to be sent to their services."""

    step: int
    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlockTool:
    """The service defines a tool otherwise than it was approved: nobody may call it until someone has looked.

    Answer: None, or of a tool that is ours (the demo's), and so accepted as it is now, whether it counts as read-only.
    definition: agent.mcp's ToolDefinition, which the loop only hands on.
    """

    endpoint: str
    definition: Any


@dataclass(frozen=True, slots=True)
class NoteTools:
    """The service lists tools that it had not when it was last asked: they are stored, and wait for someone to approve them.

    definitions: agent.mcp's ToolDefinitions, which the loop only hands on.
    """

    endpoint: str
    definitions: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class FindLarger:
    """A conversation does not fit `window` tokens. Answer: names of models with larger windows that the run's owner may use."""

    window: int


@dataclass(frozen=True, slots=True)
class EndTool:
    """One call has its result. `status` is `finished`, or `refused` for one that was never sent. Answer: ToolSettled."""

    call: str
    result: ToolResult
    status: Literal["finished", "refused"] = "finished"
    latency_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ToolSettled:
    """Answer to EndTool: the result as it was stored, and its parts as the API shows them. A medium that could not be kept is a note."""

    result: ToolResult
    parts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class EndStep:
    """All calls of the step are answered, each by an EndTool: the tool message, results in call order.

    Answer: the message as the API shows it.
    """

    step: int
    results: tuple[ToolResult, ...]


@dataclass(frozen=True, slots=True)
class WaitForPerson:
    """The run pauses and its worker lets go of it. Answer: None."""

    reason: Literal["tool", "budget", "unknown_outcome"]


@dataclass(frozen=True, slots=True)
class EndRun:
    status: Literal["completed", "failed", "cancelled"]
    finish_reason: str = ""
    error_kind: str = ""
    error_detail: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseRun:
    """The worker is shutting down: give the run back so that another worker goes on with it."""


Intent: TypeAlias = (
    RevealKey
    | RevealService
    | BeginAttempt
    | EndAttempt
    | DispatchTools
    | BlockTool
    | NoteTools
    | FindLarger
    | EndTool
    | EndStep
    | WaitForPerson
    | EndRun
    | ReleaseRun
)
