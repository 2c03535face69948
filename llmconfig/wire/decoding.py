"""What the decoders share: bytes to JSON events, the held-back failure, the terminal event, and careful reading of foreign JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from json import JSONDecoder
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, cast

from llmconfig.llm import Finished, FinishReason, ProviderError, StreamInterrupted
from llmconfig.wire.names import ToolNames
from llmconfig.wire.sse import EventSplitter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmconfig.llm import ModelRequest, StreamEvent

_parse: Final = JSONDecoder(strict=False).raw_decode  # some servers send a tab or a line feed within a text unescaped
MOST_TOKENS: Final = 1_000_000_000
"""Beyond any answer, and so small that sums of two fit the ledger's columns: a larger count is a server's mistake."""
_UNREADABLE: Final = (LookupError, TypeError, AttributeError, ValueError, RecursionError)


class Splitter(Protocol):
    """Bytes cut anywhere to the JSON of each event; raises `StreamInterrupted` for an event beyond its bound."""

    def feed(self, chunk: bytes, /) -> Iterator[bytes]: ...


class StreamDecoder(ABC):
    """One answer's stream. `feed` the body's bytes as they come, `flush` and then `close` when the body has ended.

    What is decoded does not depend on how the bytes were cut: a failure found behind good events in the same chunk is raised by the
    next call, after those events were handed out. Bytes after the terminal event are ignored.
    """

    __slots__ = ("_begun", "_done", "_failure", "_label", "_names", "_splitter")
    splitter: ClassVar[type[Splitter]] = EventSplitter
    """How the wire frames its events."""

    def __init__(self, request: ModelRequest, *, provider: str, label: str = "The provider") -> None:
        """provider: the slug under which this wire is used; it tags what is echoed later. label: the provider as people know it."""
        del provider  # part of the wires' common signature; none of these needs it to decode
        self._label = label
        self._names = ToolNames(request)
        self._splitter = self.splitter()
        self._failure: ProviderError | None = None
        self._begun = self._done = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """The events that these bytes complete. Raises the `ProviderError` that an error event means."""
        if self._failure is not None:
            raise self._failure
        if self._done:
            return []
        out: list[StreamEvent] = []
        try:
            for payload in self._splitter.feed(data):
                if self._done:
                    break
                self._read(payload, out)
        except ProviderError as error:
            self._failure = error
        except _UNREADABLE as error:
            self._failure = StreamInterrupted(f"{self._label} sent a piece that cannot be read.")
            self._failure.__cause__ = error
        if self._failure is not None and not out:
            raise self._failure
        return out

    def document(self, value: dict[str, Any]) -> list[StreamEvent]:
        """The events of the stream that a whole answer stands for, sent by a server which does not stream; none where it is no answer."""
        out: list[StreamEvent] = []
        try:
            self._on_document(value, out)
        except _UNREADABLE as error:
            raise StreamInterrupted(f"{self._label} sent an answer that cannot be read.") from error
        return out

    @property
    def has_begun(self) -> bool:
        """Whether the model is at work on its answer, though it may think for minutes before it says anything."""
        return self._begun

    @property
    def is_whole(self) -> bool:
        """Whether the answer is there to its last word. What may still come (usage, a farewell) can be missed: `flush` ends it, too."""
        return self._done

    def flush(self) -> list[StreamEvent]:
        """What the end of the body completes: a last event without its blank line, and what the wire held back."""
        whole = self.is_whole and self._failure is None
        try:
            out = self.feed(b"\n\n")
        except StreamInterrupted:
            if not whole:
                raise
            out, self._failure = [], None  # half of what came behind the answer
        if self._failure is None and not self._done:
            self._at_end(out)
        return out

    def close(self) -> None:
        """The body has ended. Raises `StreamInterrupted` when the wire's own terminal event was not seen."""
        if self._failure is not None:
            raise self._failure
        if not self._done:
            raise StreamInterrupted(f"The answer broke off. {self._label} closed the stream before announcing its end.")

    def _read(self, payload: bytes, out: list[StreamEvent]) -> None:
        if payload == b"[DONE]":
            self._on_done(out)
            return
        text = payload.decode("utf-8", "replace").strip()
        event, end = _parse(text)
        if end != len(text):
            raise ValueError("more than one JSON value in an event")
        if "\0" in text or ("\\u" in text and ("\\ud" in text or "\\uD" in text or "\\u0000" in text)):
            event = storable(event)
        self._on(object_of(event), out)

    @abstractmethod
    def _on(self, event: dict[str, Any], out: list[StreamEvent]) -> None:
        """Decode one event and append what it means."""

    def _on_document(self, value: dict[str, Any], out: list[StreamEvent]) -> None:
        """Decode a whole answer to its end. A wire whose servers always stream knows none."""
        return

    def _on_done(self, out: list[StreamEvent]) -> None:
        """The sender said `[DONE]`; Chat alone has no event of its own for the end."""
        return

    def _at_end(self, out: list[StreamEvent]) -> None:
        """The body ended: what a wire has held back until here comes now."""
        return

    def _finish(self, out: list[StreamEvent], raw: str, reasons: Mapping[str, FinishReason], *, called: bool) -> None:
        reason = reasons.get(raw, FinishReason.OTHER)
        if called and reason in (FinishReason.STOP, FinishReason.OTHER):  # what came tells more than a word, or none
            reason = FinishReason.TOOL_CALLS
        elif reason is FinishReason.TOOL_CALLS and not called:
            reason = FinishReason.OTHER
        out.append(Finished(reason, raw))
        self._done = True


def object_of(value: object) -> dict[str, Any]:
    """A JSON object, or TypeError."""
    if not isinstance(value, dict):
        raise TypeError(f"a JSON object was expected, not {type(value).__name__}")
    return cast("dict[str, Any]", value)


def optional_object(value: object) -> dict[str, Any]:
    """A JSON object; anything else reads as an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def objects(value: object) -> list[dict[str, Any]]:
    """The JSON objects of a list; anything else reads as none."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def text_of(value: object) -> str:
    """A text; null or anything else reads as none."""
    return value if isinstance(value, str) else ""


def index_of(value: object) -> int:
    """A block's index, or TypeError."""
    if type(value) is not int:
        raise TypeError("a whole number was expected")
    return value


def count(value: object) -> int | None:
    """A token count; null, negative, beyond `MOST_TOKENS` or not a whole number reads as unknown."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None


def disjoint_input(total: int | None, read: int | None, written: int | None) -> int | None:
    """Input without its cache buckets, from a total that includes them. Where they exceed it, the server already took them out."""
    cached = (read or 0) + (written or 0)
    return total if total is None or cached > total else total - cached


def storable(value: object) -> object:
    """The same JSON without NUL and with lone surrogates replaced: neither databases nor UTF-8 take them."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [storable(item) for item in cast("list[object]", value)]
        case dict():
            return {key: storable(item) for key, item in cast("dict[str, object]", value).items()}
        case _:
            return value
