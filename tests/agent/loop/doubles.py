"""Doubles of the loop's three ports: a journal that keeps what it was told, a model that follows a script, tools that answer at once."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any

from agent.loop.codec import part_to_json
from agent.loop.intents import AttemptSettled, EndAttempt, EndStep, EndTool, FenceLost, Intent, ToolSettled
from agent.loop.plan import Deployment, OfferedTool, RunPlan
from agent.loop.ports import Stop
from agent.loop.runner import Runner
from llmconfig.llm import Finished, FinishReason, Message, ModelInfo, ModelRequest, Provider, StreamEvent, Text, Tool, ToolResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class ListJournal:
    """Keeps intents and events in the order they came. refuse: the first intent of this type finds the fence lost."""

    def __init__(self, refuse: type[Any] | None = None) -> None:
        self.intents: list[Intent] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.order: list[str] = []
        self.refuse = refuse
        self.flushes = 0

    def emit(self, type: str, data: dict[str, Any]) -> int:
        self.events.append((type, data))
        self.order.append(type)
        return len(self.events)

    async def commit(self, intent: Intent) -> Any:
        await asyncio.sleep(0)
        if self.refuse is not None and isinstance(intent, self.refuse):
            raise FenceLost
        self.intents.append(intent)
        self.order.append(type(intent).__name__)
        if isinstance(intent, EndAttempt):
            parts = [part_to_json(part) for part in intent.message.parts] if intent.message else None
            message = None if parts is None else {"role": "assistant", "parts": parts}
            return AttemptSettled(message, "0.001", "USD", "measured", "2026-01-01T00:00:00Z")
        if isinstance(intent, EndTool):
            return ToolSettled(intent.result, [part_to_json(part) for part in intent.result.parts])
        if isinstance(intent, EndStep):
            return {"role": "tool", "parts": [part_to_json(result) for result in intent.results]}
        return None

    async def flush(self) -> None:
        self.flushes += 1

    def types(self) -> list[str]:
        return [type for type, _ in self.events]

    def of(self, kind: type[Any]) -> list[Any]:
        return [intent for intent in self.intents if isinstance(intent, kind)]


class ScriptedProvider(Provider):
    """Plays one list of stream events for each call; an exception in the list is raised, an Event waited for."""

    slug, label, wire = "scripted", "Scripted", "none"

    def __init__(self, *answers: Sequence[StreamEvent | BaseException | asyncio.Event]) -> None:
        self.answers = list(answers)
        self.requests: list[ModelRequest] = []
        self.closed = 0

    @classmethod
    def preload(cls) -> None: ...

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        self.requests.append(request)
        try:
            for event in self.answers.pop(0):
                if isinstance(event, BaseException):
                    raise event
                if isinstance(event, asyncio.Event):
                    event.set()
                    await asyncio.Event().wait()
                    continue
                yield event
        finally:
            self.closed += 1

    async def list_models(self) -> Sequence[ModelInfo]:
        return []

    async def check(self, model: str = "") -> Sequence[ModelInfo]:
        return []

    async def aclose(self) -> None: ...


class Tools:
    """Answers every call with its name; `slow` names tools that finish last."""

    def __init__(self, *, fail: set[str] = frozenset(), hang: asyncio.Event | None = None) -> None:  # type: ignore[assignment]
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.fail, self.hang = fail, hang

    async def __call__(self, tool: OfferedTool, call_id: str, arguments: Any) -> ToolResult:
        self.calls.append((tool.name, dict(arguments)))
        if self.hang is not None:
            self.hang.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return ToolResult(call_id, (Text(f"{tool.name} says hello"),), tool.name in self.fail)


def offered(name: str, verdict: str = "run", **changes: Any) -> OfferedTool:
    return OfferedTool(
        tool=Tool(f"crm__{name}", f"Does {name}", {"type": "object"}),
        service="crm",
        name=name,
        endpoint="e1",
        verdict=verdict,  # type: ignore[arg-type]
        definition_hash="hash",
        **changes,
    )


def plan(**changes: Any) -> RunPlan:
    defaults: dict[str, Any] = {
        "run": "r1",
        "conversation": "c1",
        "target": {"model": "k/m"},
        "deployment": Deployment("k", "scripted", "m"),
        "history": (Message("user", (Text("hi"),)),),
        "tools": (offered("find"), offered("list"), offered("delete", "ask"), offered("drop", "refuse", reason="Denied here.")),
    }
    return RunPlan(**(defaults | changes))


def runner(provider: Provider, *, journal: ListJournal, tools: Tools | None = None, stop: Stop | None = None, **changes: Any) -> Runner:
    numbers = count(1)

    async def open_provider() -> Provider:
        return provider

    return Runner(
        plan(**changes),
        journal=journal,
        open_provider=open_provider,
        tools=tools or Tools(),
        new_id=lambda: f"id-{next(numbers)}",
        stop=stop or Stop(),
    )


STOP = Finished(FinishReason.STOP, "end_turn")
CALLS = Finished(FinishReason.TOOL_CALLS, "tool_use")
