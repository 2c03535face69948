"""One service of the embedded mode as a process: started, its output relayed, started again when it dies, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from routekit.embedded.console import Console
    from routekit.embedded.home import Home

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
SETTLED_S = 30.0
LONGEST_LINE = 16 * 1024
KILLED_WITHIN_S = 1.0
SHIM = Path(__file__).with_name("with_parent.py")


@dataclass(frozen=True)
class Command:
    """How a service starts. Lines of its output that hold `muted` are not relayed."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    muted: str | None = None


class Child:
    """Keeps one command running until `stop`. `failures` counts its deaths since it last lived for SETTLED_S."""

    def __init__(self, command: Command, home: Home, console: Console) -> None:
        self.name = command.name
        self.failures = 0
        self._command = command
        self._home = home
        self._console = console
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self, grace_s: float) -> None:
        """Asks it to end, and kills it with all that it started when it has not within `grace_s`."""
        self._stopping = True
        if self._keeper is None:
            return
        if self._process is None:
            self._keeper.cancel()
        else:
            _signal(self._process.pid, signal.SIGTERM)
        _, running = await asyncio.wait([self._keeper], timeout=grace_s)
        if running and self._process is not None:
            self._console.say(f"{self.name} did not stop within {grace_s:g} s and is killed.")
            _signal_group(self._process.pid, signal.SIGKILL)
            await asyncio.wait([self._keeper], timeout=KILLED_WITHIN_S)

    async def _keep(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            code = await self._run_once()
            if self._stopping:
                return
            if time.monotonic() - began > SETTLED_S:
                pause_s, self.failures = FIRST_PAUSE_S, 0
            self.failures += 1
            self._console.say(f"{self.name} ended ({_reason(code)}) and starts again in {pause_s:g} s.")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _run_once(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(SHIM), str(os.getpid())),
            *self._command.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._command.environment,
            cwd=self._command.folder,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops its children in order
        )
        self._process = process
        self._home.write_pid(self.name, process.pid)
        try:
            if process.stdout is not None:
                async for line in _lines(process.stdout):
                    if line.strip() and not (self._command.muted and self._command.muted in line):
                        self._console.relay(self.name, line)
            return await process.wait()
        finally:
            _signal_group(process.pid, signal.SIGKILL)  # whatever it left behind
            self._process = None
            self._home.write_pid(self.name, None)


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """The lines of a child, in bounded memory: a longer one comes in pieces of LONGEST_LINE bytes."""
    kept = b""
    while chunk := await stream.read(LONGEST_LINE):
        *lines, kept = (kept + chunk).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace").rstrip()
        if len(kept) >= LONGEST_LINE:
            yield kept.decode(errors="replace")
            kept = b""
    if kept:
        yield kept.decode(errors="replace").rstrip()


def _reason(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        os.killpg(pid, number)
