"""Which call a `tool_calls` piece of a Chat chunk belongs to. Servers disagree on what they send; no two calls may ever mix.

What is seen in the wild: an index and an id, then the index alone (OpenAI); always index 0 with another id per call (Ollama); no index
at all; the name a chunk late; the whole call at once, its arguments as an object.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmconfig.llm import ToolCallDelta
from llmconfig.wire.decoding import optional_object, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llmconfig.llm import StreamEvent
    from llmconfig.wire.names import ToolNames


@dataclass(slots=True)
class _Call:
    block: int
    raw_id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])

    def is_whole(self) -> bool:
        """Whether its arguments are a JSON object already; asked only where the server gives nothing better to go by."""
        try:
            return isinstance(json.loads("".join(self.pieces)), dict)
        except ValueError:
            return False


class ChatCalls:
    """The calls of one answer, in the order in which they began."""

    __slots__ = ("_by_id", "_by_index", "_calls", "_names")

    def __init__(self, names: ToolNames) -> None:
        self._names = names
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}  # the latest call that came under an index

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, pieces: Iterable[dict[str, Any]], next_block: Callable[[], int], out: list[StreamEvent]) -> None:
        """The pieces of one chunk. next_block gives a call that begins here its block."""
        touched: set[int] = set()
        for piece in pieces:
            function = optional_object(piece.get("function"))
            raw_id, name, index = text_of(piece.get("id")), text_of(function.get("name")), piece.get("index")
            arguments = _text(function.get("arguments"))
            call = self._known(raw_id, index, name) or self._continued(index, raw_id, name, arguments, touched)
            if call is None:
                call = _Call(next_block())
                self._calls.append(call)
            touched.add(call.block)
            self._remember(call, index, raw_id)
            told = name if name != call.name else ""
            call.name = name or call.name
            if arguments:
                call.pieces.append(arguments)
            out.append(ToolCallDelta(call.block, self._names.to_neutral(told) if told else "", arguments, raw_id))

    def _known(self, raw_id: str, index: object, name: str) -> _Call | None:
        """The call of that id, unless a name under an index not seen before tells that the server gave its id twice."""
        twice = name and isinstance(index, int) and index not in self._by_index
        return None if twice else self._by_id.get(raw_id)

    def _continued(self, index: object, raw_id: str, name: str, arguments: str, touched: set[int]) -> _Call | None:
        """The earlier call that a piece with no id, or an id not seen before, continues; None when it begins a new one."""
        call = self._by_index.get(index) if isinstance(index, int) else self._last()
        if call is None or (raw_id and call.raw_id):
            return None
        if raw_id or not name or not call.name:
            return call
        # A named piece without an id: another call, unless the server merely repeats the name of the open one.
        again = name == call.name and call.block not in touched and not (call.is_whole() and arguments)
        return call if again else None

    def _last(self) -> _Call | None:
        return self._calls[-1] if self._calls else None

    def _remember(self, call: _Call, index: object, raw_id: str) -> None:
        if isinstance(index, int):
            self._by_index[index] = call
        if raw_id:
            call.raw_id = raw_id
            self._by_id[raw_id] = call


def _text(arguments: object) -> str:
    return json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, dict) else text_of(arguments)
