"""An answer by a schema from a model that knows none: it is offered a tool whose input is the answer, and its call is read as text."""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from llmconfig.llm import (
    BlockData,
    Finished,
    FinishReason,
    TextDelta,
    ThinkingDelta,
    Tool,
    ToolCallDelta,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from llmconfig.llm import ModelRequest, StreamEvent

TOOL: Final = "respond_with_answer"
"""No tool of a service is called so: theirs have `__` in their names."""
INSTRUCTION: Final = (
    f"Give your final answer by calling the tool `{TOOL}` once, and in no other way: its input is the answer. "
    "Call other tools before it where you need them."
)
_FENCED: Final = re.compile(r"\s*```[a-z]*\n(.*)\n```\s*", re.DOTALL)


def by_tool(request: ModelRequest) -> ModelRequest:
    """The request with the schema of its answer as one more tool, the last, and the word to use it. output_schema must be set."""
    tool = Tool(TOOL, "Gives the final answer.", request.output_schema or {})
    system = f"{request.system}\n\n{INSTRUCTION}" if request.system.strip() else INSTRUCTION
    return replace(request, system=system, tools=(*request.tools, tool), output_schema=None)


async def as_text(events: AsyncGenerator[StreamEvent, None]) -> AsyncGenerator[StreamEvent, None]:
    """The events of an answer to such a request, as if the model knew schemas. Closes what it reads."""
    answer = AnswerText()
    async with aclosing(events):
        async for event in events:
            for told in answer.told(event):
                yield told


class AnswerText:
    """One answer. The input of the answer's call becomes text as it comes; other calls stay calls.

    Other text is held back: ahead of the answer it is thinking, and where no answer is called for it is taken for the answer.
    """

    __slots__ = ("_answer", "_begun", "_calls", "_nameless", "_prose")

    def __init__(self) -> None:
        self._answer: int | None = None
        self._begun = False
        self._calls: dict[int, str] = {}  # by block, the name told so far
        self._nameless: dict[int, list[ToolCallDelta]] = {}
        self._prose: list[TextDelta] = []

    def told(self, event: StreamEvent) -> list[StreamEvent]:
        match event:
            case ToolCallDelta():
                return self._on_call(event)
            case TextDelta():
                self._prose.append(event)
                return []
            case BlockData(index, kind) if kind == "text" or index == self._answer:
                return []  # what belongs to parts that are none any more
            case Finished():
                return self._on_end(event)
            case _:
                return [event]

    def _on_call(self, event: ToolCallDelta) -> list[StreamEvent]:
        index = event.index
        if event.name:
            self._calls[index] = event.name
        if index not in self._calls:  # a name may come late
            self._nameless.setdefault(index, []).append(event)
            return []
        pieces = [*self._nameless.pop(index, ()), event]
        if self._calls[index] != TOOL:
            return [*pieces]
        if self._answer is None:
            self._answer = index
        said = "".join(piece.arguments for piece in pieces)
        if index != self._answer or not said:  # the first answer counts
            return []
        self._begun = True
        return [*self._thought(), TextDelta(index, said)]

    def _on_end(self, event: Finished) -> list[StreamEvent]:
        calls: list[StreamEvent] = [piece for pieces in self._nameless.values() for piece in pieces]
        other = bool(calls) or any(name != TOOL for name in self._calls.values())
        reason = event.reason
        if reason is FinishReason.TOOL_CALLS and not other:
            reason = FinishReason.STOP
        end = event if reason is event.reason else replace(event, reason=reason)
        if self._answer is not None:
            empty: list[StreamEvent] = [] if self._begun else [TextDelta(self._answer, "{}")]
            return [*self._thought(), *calls, *empty, end]
        return [*calls, *(self._thought() if other else self._spoken()), end]

    def _thought(self) -> list[StreamEvent]:
        prose, self._prose = self._prose, []
        return [ThinkingDelta(piece.index, piece.text) for piece in prose]

    def _spoken(self) -> list[StreamEvent]:
        """The text alone, out of the fence that models like to put around JSON."""
        if not self._prose:
            return []
        text = "".join(piece.text for piece in self._prose)
        fenced = _FENCED.fullmatch(text)
        return [TextDelta(self._prose[0].index, fenced[1] if fenced else text)]
