"""`make up` as a test starts it: the supervisor in its own process, with a home and ports of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
FROM_CONFTEST = {"SECRET_KEY", "KEK", "DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS", "ROUTEKIT_HTTPS", "ROUTEKIT_HOME"}
OUTSIDE = {"ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "AZURE_OPENAI_API_KEY", "OLLAMA_HOST", "HOST", "PORT"}


def environment(**values: str) -> dict[str, str]:
    """This process's, without what the tests set for themselves and without anyone's keys."""
    kept = {name: value for name, value in os.environ.items() if name not in FROM_CONFTEST | OUTSIDE}
    return {**kept, **values}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Stack:
    """A supervisor and what it said so far."""

    def __init__(self, home: Path, **values: str) -> None:
        self.home = home
        self.port = int(values.get("PORT") or free_port())
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "routekit.embedded"],
            cwd=ROOT,
            env=environment(**{"PORT": str(self.port), "ROUTEKIT_HOME": str(home), **values}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self.lines.append("(end)")
            self._changed.notify_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def said(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, timeout: float = 60.0) -> str:
        """The first line that matches; fails with all that was said when none comes."""

        def found() -> str | None:
            return next((line for line in self.lines if re.search(pattern, line)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or "(end)" in self.lines, timeout)
            line = found()
        assert line is not None, f"no line matches {pattern!r}:\n{self.said()}"
        return line

    def pid_of(self, name: str) -> int:
        return int((self.home / "run" / f"{name}.pid").read_text())

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float = 20.0) -> int:
        """The exit code."""
        code = self._process.wait(timeout)
        self._reader.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def close(self) -> None:
        if self._process.poll() is None:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait()
        if self._process.poll() is None:
            self._process.kill()
            self.wait()


def processes_of(home: Path) -> list[str]:
    """What runs with this home, but the test itself."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("ROUTEKIT_HOME") == str(home):
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
    return found


def gone(home: Path, within: float) -> bool:
    deadline = time.monotonic() + within
    while processes_of(home):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
