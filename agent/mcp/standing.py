"""The standing stream of an SSE session, which all its calls share: an answer too long for it fails alone.

The SDK ends the whole session at an event of more than 1 MiB. So a longer line is taken out here, and an error put in its place.
"""

from __future__ import annotations

import json
import re
from typing import Final

LONGEST_LINE: Final = 1_000_000
TOO_LONG: Final = "its answer is longer than"
_KEPT = 200  # bytes at either end, where the id of an answer stands

_ID_FIRST = re.compile(rb'^data:\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(\d{1,18})\s*,')
_ID_LAST = re.compile(rb'"id"\s*:\s*(\d{1,18})\s*\}\s*$')


class StandingStream:
    """`feed` each chunk; what comes back goes on to the SDK. It never holds more than LONGEST_LINE and a chunk."""

    def __init__(self) -> None:
        self._line = b""  # what came of a line that has not ended
        self._head = b""  # of a line that is being left out

    def feed(self, chunk: bytes) -> bytes:
        whole, ended, rest = (self._line + chunk).rpartition(b"\n")
        lines = [self._passed(line) for line in whole.split(b"\n")] if ended else []
        self._line = rest
        if len(rest) > LONGEST_LINE:
            self._head = self._head or rest[:_KEPT]
            self._line = rest[-_KEPT:]
        return b"".join(line + b"\n" for line in lines)

    def _passed(self, line: bytes) -> bytes:
        if not self._head and len(line) <= LONGEST_LINE:
            return line
        head, self._head = self._head or line[:_KEPT], b""
        found = _ID_FIRST.search(head) or _ID_LAST.search(line[-_KEPT:])
        if found is None:
            return b""
        error = {"code": -32603, "message": f"{TOO_LONG} {LONGEST_LINE:,} bytes"}
        return b"data: " + json.dumps({"jsonrpc": "2.0", "id": int(found[1]), "error": error}).encode()
