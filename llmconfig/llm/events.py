"""What a wire decodes a provider's stream into, and the accumulator that folds it to a message.

`index` keys one block of the answer (a text, a thinking block, a tool call); blocks keep the order in which they were first seen.
Tool arguments arrive as text pieces and are parsed once, at the end. An answer has a bound: whoever sends one without end takes no more
of our memory than that.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from llmconfig.llm.errors import StreamInterrupted
from llmconfig.llm.messages import FinishReason, Message, Part, ProviderData, Text, Thinking, ToolCall
from llmconfig.llm.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from llmconfig.llm.limits import RateLimits

MAX_ANSWER: Final = 8 * 1024 * 1024
"""Characters of one answer, its thinking, arguments and provider data counted in: ten times what the most talkative model can say."""
_LEAST_PIECE: Final = 16
_EACH_BLOCK: Final = 1024
"""As how many characters a short piece counts, and a block by itself: they take memory though they say little."""
MAX_DEPTH: Final = 100
"""How deep the arguments of a call may be nested: what could hardly be parsed could not be sent again with every later request."""
_CUTTING = frozenset({FinishReason.LENGTH, FinishReason.CONTENT_FILTER, FinishReason.REFUSAL})
_NO_DATA: Mapping[str, Any] = {}
_ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class TextDelta:
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a call. `name` may come late and whole; `arguments` is a piece of JSON text, or whole."""

    index: int
    name: str = ""
    arguments: str = ""
    raw_id: str = ""


@dataclass(frozen=True, slots=True)
class BlockData:
    """Opaque provider data of the block at `index`, merged key by key (a signature, encrypted reasoning).

    kind says which part the block becomes when nothing visible arrived for it.
    """

    index: int
    kind: Literal["text", "thinking", "tool_call"]
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UsageReported:
    usage: Usage


@dataclass(frozen=True, slots=True)
class LimitsReported:
    """What the headers of the answer said is left; ahead of everything else."""

    limits: RateLimits


@dataclass(frozen=True, slots=True)
class Finished:
    """The wire's own terminal event. A stream that ends without it raises `StreamInterrupted`."""

    reason: FinishReason
    raw: str = ""


StreamEvent: TypeAlias = TextDelta | ThinkingDelta | ToolCallDelta | BlockData | UsageReported | LimitsReported | Finished


@dataclass(slots=True)
class _Block:
    kind: str
    pieces: list[str] = field(default_factory=list[str])
    name: str = ""
    data: dict[str, Any] = field(default_factory=dict[str, Any])


class Accumulator:
    """Folds stream events of one attempt to an assistant message.

    new_id: makes the neutral tool-call ids. provider and model tag the provider data.
    """

    __slots__ = ("_blocks", "_model", "_new_id", "_provider", "_room", "finish", "limits", "usage")

    def __init__(self, *, provider: str, model: str, new_id: Callable[[], str]) -> None:
        self._provider, self._model, self._new_id = provider, model, new_id
        self._blocks: dict[int, _Block] = {}
        self._room = MAX_ANSWER
        self.usage = Usage()
        self.finish: Finished | None = None
        self.limits: RateLimits | None = None

    def add(self, event: StreamEvent) -> None:
        """Raises `StreamInterrupted` for what is beyond MAX_ANSWER; it is not taken."""
        match event:
            case TextDelta(index, text):
                self._take(len(text))
                self._block(index, "text").pieces.append(text)
            case ThinkingDelta(index, text):
                self._take(len(text))
                self._block(index, "thinking").pieces.append(text)
            case ToolCallDelta():
                block = self._block(event.index, "tool_call")
                block.name = event.name or block.name
                if event.raw_id:
                    block.data["id"] = event.raw_id
                if event.arguments:
                    self._take(len(event.arguments))
                    block.pieces.append(event.arguments)
            case BlockData(index, kind, data):
                self._take(len(repr(data)))
                self._block(index, kind).data.update(data)
            case UsageReported(usage):
                self.usage = self.usage.updated(usage)
            case LimitsReported(limits):
                self.limits = limits
            case Finished():
                self.finish = event

    def message(self, *, complete: bool = True) -> Message:
        """The message so far. A partial one (`complete=False`) is only text: half a call or an unsigned thought cannot be sent back."""
        blocks = list(self._blocks.values())
        cut = blocks[-1] if blocks and self.finish and self.finish.reason in _CUTTING else None
        parts = [self._part(block, cut=block is cut) for block in blocks]
        kept = [part for part in parts if part is not None and (complete or isinstance(part, Text))]
        return Message("assistant", tuple(kept))

    @property
    def has_output(self) -> bool:
        """Whether anything a person could see has arrived."""
        return any(block.kind != "thinking" and (block.pieces or block.name) for block in self._blocks.values())

    def _block(self, index: int, kind: str) -> _Block:
        block = self._blocks.get(index)
        if block is None:
            self._take(_EACH_BLOCK)
            block = self._blocks[index] = _Block(kind)
        return block

    def _take(self, size: int) -> None:
        self._room -= size if size > _LEAST_PIECE else _LEAST_PIECE
        if self._room < 0:
            raise StreamInterrupted(f"The answer did not end: it was cut after {MAX_ANSWER:,} characters.")

    def _part(self, block: _Block, *, cut: bool) -> Part | None:
        data = ProviderData(self._provider, self._model, block.data) if block.data else None
        text = "".join(block.pieces)
        match block.kind:
            case "tool_call":
                arguments, malformed = parse_arguments(text)
                if cut and not text.strip():  # not a call without arguments: the answer ended before they came
                    malformed = ""
                return ToolCall(self._new_id(), block.name, arguments, malformed, data)
            case "thinking":
                return Thinking(text, data) if text or data else None
            case _:
                return Text(text, data) if text or data else None


def parse_arguments(text: str) -> tuple[Mapping[str, Any], str | None]:
    """Arguments of a finished call: (object, None), or ({}, the raw text) when it is no JSON object, or too deep. Empty text is `{}`."""
    if not text.strip():
        return _NO_DATA, None
    try:
        value: object = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        return _NO_DATA, text
    if not isinstance(value, dict) or _is_too_deep(text, cast("object", value)):
        return _NO_DATA, text
    arguments = cast("Mapping[str, Any]", value)
    return (cast("Mapping[str, Any]", _storable(arguments)) if _ESCAPED.search(text) else arguments), None


def _is_too_deep(text: str, value: object) -> bool:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return False
    return any(isinstance(each, (dict, list)) for each in level)


def _inside(value: object) -> Iterable[object]:
    match value:
        case dict():
            return cast("dict[str, object]", value).values()
        case list():
            return cast("list[object]", value)
        case _:
            return ()


def _finite(text: str) -> float:
    """JSON knows neither NaN nor Infinity, though Python reads both."""
    value = float(text)
    if not isfinite(value):
        raise ValueError(text)
    return value


def _storable(value: object) -> object:
    """NUL and halves of surrogate pairs, which a model can write as escapes and no database stores, as U+FFFD."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_storable(item) for item in cast("list[object]", value)]
    return value
