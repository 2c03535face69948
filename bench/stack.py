"""The whole of routekit for a benchmark: web, one worker process, Valkey, and a fake vendor, on loopback with a fresh SQLite."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from tests.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-bench-0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Stack:
    url: str
    token: str
    upstream: str
    model: str
    worker: int
    web: int

    def call(self, method: str, path: str, body: object = None) -> dict[str, object]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        with urlopen(Request(self.url + path, data, headers, method=method), timeout=30) as answer:  # loopback
            return json.load(answer)


@contextmanager
def running(*, vendor: str = "anthropic", pace: float = 0.0, chunks: int = 20, slots: int = 256) -> Iterator[Stack]:
    """vendor: a module of tests.fakes. pace: seconds between its chunks."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="routekit-bench-"))
        valkey = Valkey()
        valkey.run()
        stack.callback(valkey.stop)
        fake = stack.enter_context(process([f"tests.fakes.{vendor}", "--pace", str(pace), "--chunks", str(chunks)], {}))
        upstream = printed_url(fake)
        environment = {
            "SECRET_KEY": "bench-secret-key-0123456789-abcdefghij",
            "KEK": "bench-key-encryption-key-0123456789-ab",
            "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
            "REDIS_URL": valkey.url,
            "ROUTEKIT_HOME": folder,
            "ROUTEKIT_HTTPS": "false",
            "ROUTEKIT_DEMO": "0",
            "ROUTEKIT_PRIVATE_HOSTS": "127.0.0.1:*",
            "ROUTEKIT_WORKER_SLOTS": str(slots),
            "ALLOWED_HOSTS": "127.0.0.1",
            "ROUTEKIT_LOG_LEVEL": "WARNING",
            "MALLOC_ARENA_MAX": "2",
        }
        prepared = subprocess.run(
            [sys.executable, "-m", "bench.prepare", vendor, upstream, KEY],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
        )
        if prepared.returncode:
            raise RuntimeError(prepared.stderr)
        token, model = prepared.stdout.split()[-2:]
        port = _free_port()
        web = stack.enter_context(
            process(["uvicorn", "routekit.asgi:application", "--port", str(port), "--no-access-log", "--log-level", "warning"], environment)
        )
        celery = ["celery", "-A", "routekit", "worker", "-P", "threads", "--without-mingle", "--without-gossip", "--without-heartbeat"]
        worker = stack.enter_context(process([*celery, "--loglevel", "WARNING"], environment))
        _wait_ready(f"http://127.0.0.1:{port}/readyz")
        yield Stack(f"http://127.0.0.1:{port}", token, upstream, model, worker.pid, web.pid)


@contextmanager
def process(module: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-m", *module], cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def printed_url(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    for line in child.stdout:
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise RuntimeError("the fake vendor did not start")


def _free_port() -> int:
    with create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _wait_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(url, timeout=2):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{url}: {error}") from error
            time.sleep(0.1)
