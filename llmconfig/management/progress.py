"""How far a long command is: a bar on a terminal, a line now and then where its output goes elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from django.core.management.base import OutputWrapper

_EVERY_S: Final = 5.0
_REDRAWN_S: Final = 0.1
_WIDTH: Final = 30


class Progress:
    """Of `total` things; more may come up on the way, and then the total grows with them."""

    def __init__(self, out: OutputWrapper, label: str, total: int) -> None:
        self._out, self._label, self._total, self._done = out, label, total, 0
        self._bar = out.isatty()
        self._last = time.monotonic()

    def advance(self, number: int) -> None:
        self._done += number
        self._total = max(self._total, self._done)
        if number and time.monotonic() - self._last >= (_REDRAWN_S if self._bar else _EVERY_S):
            self._last = time.monotonic()
            self._say()

    def close(self) -> None:
        if self._bar:
            self._say()
            self._out.write("")
            self._out.flush()

    def _say(self) -> None:
        if self._bar:
            filled = _WIDTH * self._done // max(1, self._total)
            self._out.write(f"\r{self._label} [{'#' * filled}{'.' * (_WIDTH - filled)}] {self._done:,} of {self._total:,}", ending="")
        else:
            self._out.write(f"{self._label}: {self._done:,} of {self._total:,}")
        self._out.flush()
