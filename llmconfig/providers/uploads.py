"""Media too large for a request: uploaded once to the provider's own store, and named in the request instead of sent along.

What may be inline is a function of the request alone, so that the steps of a run encode the same media the same way.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from llmconfig.llm import InvalidRequest, Media, ModelNotFound, ModelRequest, PermissionDenied, ProviderError, Text, ToolResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from llmconfig.llm import MediaKind, Message, Part

LIFETIME_S: Final = 24 * 3600
"""What uploads are given by the provider, so that a lost process leaves nothing there for longer."""
_MARGIN_S: Final = 3600
_FAREWELL_S: Final = 5.0
_REMOVALS_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """inline_total: bytes of base64 that all media of a request may have together; each: bytes of one medium, however it is sent."""

    inline_total: int
    each: Mapping[MediaKind, int]


@dataclass(slots=True)
class _Entry:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    name: str = ""
    due: float = 0.0


class Uploads:
    """What one client has uploaded, by content. At most `capacity` names are remembered; what is forgotten expires at the provider.

    send: uploads a medium and answers with the provider's name of it. remove: deletes one by its name. Both raise a `ProviderError`.
    carries: whether the wire can send a medium at all; others are left to the repair pass.
    """

    def __init__(
        self,
        send: Callable[[Media], Awaitable[str]],
        remove: Callable[[str], Awaitable[object]],
        *,
        limits: MediaLimits,
        carries: Callable[[ModelRequest, Media], bool],
        label: str,
        lifetime_s: float = LIFETIME_S,
        capacity: int = 256,
    ) -> None:
        self._send, self._remove = send, remove
        self._limits, self._carries, self._label = limits, carries, label
        self._lifetime_s, self._capacity = lifetime_s, capacity
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    async def placed(self, request: ModelRequest) -> ModelRequest:
        """The request with its largest media uploaded, until the rest fits. The request given is not touched.

        Raises `InvalidRequest` for a medium of the newest turn that is too large however it is sent; elsewhere a note takes its place,
        because a refusal there would end the conversation for good.
        """
        fitted = self._fitted(request)
        names = {id(part): await self._name_of(part) for part in self._too_much(request, fitted)}

        def named(part: Media) -> Media:
            name = names.get(id(part), "")
            return part if part.uploaded == name else replace(part, uploaded=name)

        return replace(request, messages=_changed(fitted, named))

    def lost(self, request: ModelRequest, error: ProviderError) -> bool:
        """Whether the provider refused the request because it no longer knows an upload; the uploads of the request are then forgotten."""
        names = {part.uploaded for part in _media(request.messages) if part.uploaded}
        if not names or not isinstance(error, InvalidRequest | ModelNotFound | PermissionDenied):  # Google may not say what is gone
            return False
        if not any(name in error.detail for name in names) and "file" not in error.detail.lower():
            return False
        for entry in self._entries.values():
            if entry.name in names:
                entry.name = ""
        return True

    async def aclose(self) -> None:
        """Deletes what was uploaded, as far as the provider answers in time; the rest expires."""
        names = [entry.name for entry in self._entries.values() if entry.name]
        self._entries.clear()
        if not names:
            return
        gate = asyncio.Semaphore(_REMOVALS_AT_ONCE)

        async def removed(name: str) -> None:
            async with gate:
                await self._remove(name)

        try:
            async with asyncio.timeout(_FAREWELL_S):
                await asyncio.gather(*map(removed, names), return_exceptions=True)
        except TimeoutError:
            return

    def _fitted(self, request: ModelRequest) -> tuple[Message, ...]:
        """Without media that are too large however they are sent."""
        messages = request.messages
        said = len(messages)
        while said and messages[said - 1].role == "user":
            said -= 1
        before = _changed(messages[:said], lambda part: self._judged(request, part, asked=False))
        return before + _changed(messages[said:], lambda part: self._judged(request, part, asked=True))

    def _judged(self, request: ModelRequest, part: Media, *, asked: bool) -> Media | Text:
        limit = self._limits.each.get(part.kind)
        if limit is None or len(part.data) <= limit or not self._carries(request, part):
            return part
        named = f"“{part.name}” " if part.name else ""
        said = f"The {part.kind} {named}has {len(part.data):,} bytes; {self._label} takes {limit:,} at most."
        if asked:
            raise InvalidRequest(said)
        return Text(f"[{part.kind} left out: {said}]")

    def _too_much(self, request: ModelRequest, messages: Sequence[Message]) -> list[Media]:
        """The largest media, as many as must go for the rest to fit; each medium once, though it may be said twice."""
        inline = [part for part in _media(messages) if self._carries(request, part)]
        total = sum(_encoded(part) for part in inline)
        chosen: list[Media] = []
        for part in sorted(inline, key=_encoded, reverse=True):
            if total <= self._limits.inline_total:
                break
            total -= _encoded(part)
            chosen.append(part)
        return chosen

    async def _name_of(self, part: Media) -> str:
        """Uploads what is not there yet; who asks for the same bytes meanwhile waits for the same upload."""
        key = f"{part.kind} {part.media_type} {await asyncio.to_thread(_digest, part.data)}"
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
        async with entry.lock:
            clock = asyncio.get_running_loop().time
            if not entry.name or clock() >= entry.due:
                entry.name = ""
                entry.name = await self._send(part)
                entry.due = clock() + self._lifetime_s - min(_MARGIN_S, self._lifetime_s / 2)
            return entry.name


def _media(messages: Sequence[Message]) -> Iterator[Media]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, Media):
                yield part
            elif isinstance(part, ToolResult):
                yield from (inner for inner in part.parts if isinstance(inner, Media))


def _changed(messages: Sequence[Message], change: Callable[[Media], Media | Text]) -> tuple[Message, ...]:
    """Copies where a medium changed; a message that did not is the same object."""

    def part_of(part: Part) -> Part:
        match part:
            case Media():
                return change(part)
            case ToolResult(parts=parts):
                inner = tuple(change(each) if isinstance(each, Media) else each for each in parts)
                return part if _same(inner, parts) else replace(part, parts=inner)
            case _:
                return part

    def message_of(message: Message) -> Message:
        parts = tuple(map(part_of, message.parts))
        return message if _same(parts, message.parts) else replace(message, parts=parts)

    return tuple(map(message_of, messages))


def _same(new: Sequence[object], old: Sequence[object]) -> bool:
    return all(one is other for one, other in zip(new, old, strict=True))


def _encoded(part: Media) -> int:
    return (len(part.data) + 2) // 3 * 4


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
