"""What `make up` prints: its own lines, and those of its children behind their names."""

from __future__ import annotations

import os
import sys

COLOURS = {"web": 36, "worker": 35, "beat": 33, "demo": 34, "valkey": 32}
WIDTH = max(map(len, COLOURS))


class Console:
    """Standard output, in colour on a terminal (NO_COLOR turns it off). Once its reader is gone, lines are dropped and services live on."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._gone = False
        sys.stdout.reconfigure(errors="replace", line_buffering=True)  # type: ignore[union-attr]

    def say(self, line: str) -> None:
        """One line of the supervisor itself."""
        if self._gone:
            return
        try:
            sys.stdout.write(line + "\n")
        except OSError:
            self._gone = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def relay(self, name: str, line: str) -> None:
        """One line of a child."""
        prefix = f"{name:<{WIDTH}} |"
        self.say(f"\033[{COLOURS[name]}m{prefix}\033[0m {line}" if self._colour else f"{prefix} {line}")
