"""Ends the children of a killed supervisor where the system did not (with_parent.py): two Valkeys on one folder would spoil it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from routekit.embedded.home import Home


def end(home: Home) -> None:
    """Kills what the pid files name, if it is still ours. Only with the home's lock held: no supervisor lives."""
    for path in home.run.glob("*.pid"):
        with contextlib.suppress(ValueError, ProcessLookupError, PermissionError):
            pid = int(path.read_text())
            if _is_ours(pid, home):
                os.killpg(pid, signal.SIGKILL)
        path.unlink()


def _is_ours(pid: int, home: Home) -> bool:
    """By its command line: the number may belong to another program by now."""
    ps = shutil.which("ps")
    if ps is None:
        return False
    said = subprocess.run([ps, "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, timeout=5, check=False).stdout  # noqa: S603
    return any(mark in said for mark in (str(home.path), "routekit.asgi", "-A routekit"))
