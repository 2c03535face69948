"""Services to talk to: the real demo server in a process of its own, and a fake one in ours."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from agent.mcp.client import Endpoint, preload
from agent.mcp.limits import Limits
from agent.mcp.pool import ServicePool
from llmconfig.net import EgressPolicy
from tests.agent.mcp.fake import fake_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.agent.mcp.fake import FakeService

LOOPBACK = EgressPolicy(frozenset({"127.0.0.1:*"}))
QUICK = Limits(connect_seconds=2.0, list_seconds=5.0, idle_seconds=30.0)

preload()


class Demo:
    """The demo server as a process; `start` again on the same port after `stop`."""

    def __init__(self, data: Path) -> None:
        self.data, self.port, self.url = data, 0, ""
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "agent.mcp.demo", "--port", str(self.port), "--data", str(self.data)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("Listening on http://127.0.0.1:"), line
        self.url = line.split()[-1]
        self.port = urlsplit(self.url).port or 0

    def stop(self, *, kill: bool = False) -> int:
        assert self.process is not None
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        code = self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code


@contextmanager
def demo_at(data: Path) -> Iterator[Demo]:
    demo = Demo(data)
    demo.start()
    try:
        yield demo
    finally:
        if demo.process is not None:
            demo.stop(kill=True)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_at(tmp_path_factory.mktemp("demo") / "demo.sqlite3") as running:
        yield running


@pytest.fixture
async def fake() -> AsyncIterator[FakeService]:
    async with fake_service() as service:
        yield service


@pytest.fixture
async def pool() -> AsyncIterator[ServicePool]:
    opened = ServicePool(LOOPBACK, limits=QUICK)
    yield opened
    await opened.aclose()


def endpoint(url: str, key: str = "alice:service:1", **more: object) -> Endpoint:
    return Endpoint(key, url, **more)  # type: ignore[arg-type]
