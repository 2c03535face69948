"""Names and ids that every provider accepts, and the way back to ours."""

from __future__ import annotations

import re
from hashlib import sha256
from itertools import chain, count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmconfig.llm import Message, ModelRequest, ToolCall

MAX_LENGTH: Final = 64
_SAFE_NAME: Final = re.compile(rf"[A-Za-z_][A-Za-z0-9_-]{{0,{MAX_LENGTH - 1}}}")
_SAFE_ID: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_LENGTH}}}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")


class ToolNames:
    """A reversible map of neutral tool names to at most 64 of `[A-Za-z0-9_-]`, beginning with a letter or underscore.

    A safe name stays as it is. Any other is rewritten with a digest of the whole name, so that it depends on no other tool:
    adding a tool never renames one, which would break prompt caching and confuse a model that reads its own history.
    """

    __slots__ = ("_neutral", "_wire")

    def __init__(self, request: ModelRequest) -> None:
        called = (call.name for message in request.messages for call in message.tool_calls)
        names = dict.fromkeys((*(tool.name for tool in request.tools), *called))
        self._wire = {name: name for name in names if _SAFE_NAME.fullmatch(name)}
        self._neutral = dict(self._wire)
        for name in names:
            if name not in self._wire:
                wire = _rewritten(name, self._neutral)
                self._wire[name], self._neutral[wire] = wire, name

    def to_wire(self, name: str) -> str:
        """Raises KeyError for a name that is in neither the tools nor the history of the request."""
        return self._wire[name]

    def to_neutral(self, name: str) -> str:
        """A name the model made up stays as it is: the loop answers that there is no such tool."""
        return self._neutral.get(name, name)


def _rewritten(name: str, taken: Mapping[str, str]) -> str:
    readable = _UNSAFE.sub("_", name)
    if not readable[:1].isalpha():
        readable = f"_{readable}"
    salted = chain((name,), (f"{attempt}|{name}" for attempt in count(1)))
    candidates = (f"{readable[: MAX_LENGTH - 9]}_{_digest(salt, 8)}" for salt in salted)
    return next(wire for wire in candidates if wire not in taken)


def call_ids(messages: Iterable[Message]) -> dict[str, str]:
    """The id that each call of a repaired history goes by on the wire, keyed by our own.

    The provider's raw id where it made the call itself, is well formed and is not used twice (some servers count from
    `call_0` in each answer); ours otherwise, so that a call survives a switch of provider.
    """
    ids: dict[str, str] = {}
    used: set[str] = set()
    for message in messages:
        for call in message.tool_calls:
            raw = _raw_id(call)
            wire = raw if raw and raw not in used else _own_id(call)
            used.add(wire)
            ids[call.id] = wire
    return ids


def _raw_id(call: ToolCall) -> str:
    raw = call.provider_data.data.get("id") if call.provider_data else None
    return raw if isinstance(raw, str) and _SAFE_ID.fullmatch(raw) else ""


def _own_id(call: ToolCall) -> str:
    return call.id if _SAFE_ID.fullmatch(call.id) else f"call_{_digest(call.id, 24)}"


def _digest(text: str, length: int) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
