"""Server-sent events, split from raw bytes as they arrive: only the data of each event, for every wire repeats the event's name in it.

Follows the WHATWG grammar (LF, CRLF or CR; BOM; comments; several data lines), with one bound on what is kept between chunks. Servers
that imitate a wire name their errors outside of the data; what they say is then put as the wires put it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from llmconfig.llm import StreamInterrupted

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Mark(bytes):
    """Among the data lines of an event: its name is `error`."""


MAX_EVENT_BYTES: Final = 8 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_ERROR: Final = _Mark()
_NAMED: Final = frozenset((b"event: error", b"event:error"))


class EventSplitter:
    """Feed it chunks cut anywhere. Work is linear in the bytes fed, however small the chunks are.

    max_bytes: the largest single event; beyond it `feed` raises `StreamInterrupted`.
    """

    __slots__ = ("_after_cr", "_at_start", "_data", "_kept", "_max", "_tail")

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_bytes
        self._tail: list[bytes] = []  # pieces of the line that has not ended yet
        self._data: list[bytes] = []  # data lines of the event that has not ended yet
        self._kept = 0
        self._at_start = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The data of each event that this chunk completes."""
        if self._after_cr or b"\r" in chunk:
            chunk = self._unified(chunk)
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            if self._tail:
                self._kept -= sum(map(len, self._tail))
                head = b"".join((*self._tail, head))
                self._tail = []
            yield from self._events(head.split(b"\n"))
        if tail:
            self._tail.append(tail)
            self._keep(len(tail))

    def _events(self, lines: list[bytes]) -> Iterator[bytes]:
        if self._at_start:
            lines[0] = lines[0].removeprefix(_BOM)
            self._at_start = False
        data = self._data
        for line in lines:
            if not line:
                if data:
                    payload = data[0] if len(data) == 1 else _joined(data)
                    data.clear()
                    self._kept = 0
                    if payload:
                        yield payload
            elif line.startswith(b"data:"):
                self._keep(len(line))
                data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line in _NAMED:
                self._keep(len(line))
                data.append(_ERROR)
            elif line < b"event" and line.startswith(b"error:"):  # the comparison costs other events less
                self._keep(len(line))
                data += (_ERROR, line[6:].strip())  # llama.cpp once sent its errors without data
            elif self._kept + len(line) > self._max:
                self._keep(len(line))

    def _keep(self, size: int) -> None:
        self._kept += size
        if self._kept > self._max:
            raise StreamInterrupted(f"The stream holds a single event of more than {self._max} bytes.")

    def _unified(self, chunk: bytes) -> bytes:
        """Every line end as LF; an LF that completes the CR of the chunk before is dropped."""
        if not chunk:
            return chunk
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _joined(data: list[bytes]) -> bytes:
    payload = b"\n".join(line for line in data if line is not _ERROR)
    return _as_error(payload) if payload and any(line is _ERROR for line in data) else payload


def _as_error(payload: bytes) -> bytes:
    """As `{"type": "error", "error": …}`, which every wire knows."""
    try:
        said: Any = json.loads(payload)
    except (ValueError, RecursionError):
        said = payload.decode("utf-8", "replace")
    if not isinstance(said, dict):
        said = {"message": said}
    event = cast("dict[str, Any]", said)
    error = event.get("error") or {"message": event.get("detail"), **event}
    return json.dumps({**event, "type": "error", "error": error}).encode()
