"""Runs a command that ends when its parent does: `python -I with_parent.py PARENT_PID COMMAND…`.

On Linux the kernel kills it (PR_SET_PDEATHSIG outlives exec), so that even a supervisor killed with SIGKILL leaves no process.
macOS has nothing alike: there the next start ends what was left (leftovers.py).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: str, *command: str) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it ended before the kernel was told
        sys.exit(1)
    os.execv(command[0], command)  # the point of this module


if __name__ == "__main__":
    main(*sys.argv[1:])
