"""Newline-delimited JSON, split from raw bytes as they arrive.

A line ends with LF, CRLF or CR, none of which stands raw in JSON; blank lines are nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmconfig.llm import StreamInterrupted
from llmconfig.wire.sse import MAX_EVENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOM = b"\xef\xbb\xbf"


class LineSplitter:
    """Feed it chunks cut anywhere. Work is linear in the bytes fed, however small the chunks are.

    max_bytes: the longest line; beyond it `feed` raises `StreamInterrupted`.
    """

    __slots__ = ("_at_start", "_kept", "_max", "_tail")

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_bytes
        self._tail: list[bytes] = []  # pieces of the line that has not ended yet
        self._kept = 0
        self._at_start = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Each line that this chunk completes, without its end."""
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r", b"\n")
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            if self._tail:
                head = b"".join((*self._tail, head))
                self._tail, self._kept = [], 0
            yield from self._lines(head.split(b"\n"))
        if tail:
            self._tail.append(tail)
            self._kept += len(tail)
            self._bound(self._kept)

    def _lines(self, lines: list[bytes]) -> Iterator[bytes]:
        if self._at_start:
            lines[0] = lines[0].removeprefix(_BOM)
            self._at_start = False
        for line in lines:
            self._bound(len(line))
            if line and not line.isspace():
                yield line

    def _bound(self, size: int) -> None:
        if size > self._max:
            raise StreamInterrupted(f"The stream holds a single line of more than {self._max} bytes.")
