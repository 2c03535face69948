"""Promise 15: nothing connects past the guarded factory. Read in the source; and at run time, through every provider."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import Message, ModelRequest, ProviderError, Text
from tests.llmconfig.vendors import ONE_OF_EVERYONE, Vendor
from tests.routekit.egress.connecting import connections

if TYPE_CHECKING:
    from tests.llmconfig.net.stage import Seam

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("llmconfig", "agent", "routekit")
NET = "llmconfig/net/"
ALLOWED = {
    "llmconfig/providers/base.py": ("asks the factory", {"llmconfig.net.build_client"}),
    "agent/mcp/connection.py": ("asks the factory", {"llmconfig.net.build_client", "llmconfig.net.transport.GuardedTransport"}),
    "agent/mcp/demo/server.py": ("listens, and connects to nothing", {"socket.socket"}),
    # Where the operator's own settings lead: Valkey, Postgres, the ports of this machine. No tenant names any of it.
    "agent/stream/connect.py": ("Valkey, at REDIS_URL", {"redis.Redis", "redis.asyncio.Redis.from_pool"}),
    "agent/worker/runtime.py": ("Valkey, at REDIS_URL", {"redis.Redis.from_url"}),
    "routekit/health.py": ("Valkey, at REDIS_URL", {"redis.Redis.from_url"}),
    "llmconfig/services/invitations.py": ("mail, at ROUTEKIT_EMAIL_URL", {"django.core.mail.send_mail"}),
    "routekit/embedded/prepare.py": ("Valkey and Postgres, before the start", {"redis.Redis.from_url", "socket.create_connection"}),
    "routekit/embedded/valkey.py": ("waits for our own Valkey", {"asyncio.open_connection", "asyncio.open_unix_connection"}),
    "routekit/embedded/probe.py": ("waits for our own web server", {"asyncio.open_connection"}),
    "routekit/embedded/ports.py": ("finds a free port, and says who has it", {"socket.socket", "subprocess"}),
    "routekit/embedded/supervisor.py": ("starts our own programs", {"asyncio.create_subprocess_exec"}),
    "routekit/embedded/child.py": ("starts our own programs", {"asyncio.create_subprocess_exec"}),
    "routekit/embedded/with_parent.py": ("becomes one of our own programs", {"os.execv"}),
    "routekit/embedded/leftovers.py": ("asks ps about our own processes", {"subprocess"}),
    "routekit/bootstrap.py": ("runs pip and our own programs", {"subprocess", "os.execv"}),
}
"""File → why, and what of it. Everything in llmconfig/net may connect: it is the guard, and its own tests hold what it does.

There, requests_session.py may import requests: a session that the same policy guards, for the library that signs people in.
"""


def sources() -> dict[str, str]:
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {str(path.relative_to(ROOT)): path.read_text() for path in files}


def test_promise_15_nothing_connects_outside_the_factory() -> None:
    found = {name: set(connections(source)) for name, source in sources().items() if not name.startswith(NET)}
    assert len(found) > 150
    unknown = {name: used - ALLOWED.get(name, ("", set[str]()))[1] for name, used in found.items()}
    assert {name: used for name, used in unknown.items() if used} == {}


def test_promise_15_no_exception_outlives_its_need() -> None:
    found = {name: set(connections(source)) for name, source in sources().items()}
    assert {name: used - found.get(name, set()) for name, (_, used) in ALLOWED.items() if used - found.get(name, set())} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import httpx2\nasync def f(): return httpx2.AsyncClient()", "httpx2.AsyncClient"),
        ("import httpx2 as h\nh.get('x')", "httpx2.get"),
        ("from httpx2 import AsyncClient as A\nA()", "httpx2.AsyncClient"),
        ("from importlib import import_module\nh = import_module('httpx2')\nh.Client()", "httpx2.Client"),
        ("from importlib import import_module\nh: object = import_module('httpx2')\nh.Client()", "httpx2.Client"),
        ("from importlib import import_module\nimport_module('requests').get('x')", "requests"),
        ("import aiohttp as a\na.ClientSession()", "aiohttp.ClientSession"),
        ("def f():\n from aiohttp import ClientSession\n ClientSession()", "aiohttp.ClientSession"),
        ("import requests", "requests"),
        ("from requests.sessions import Session", "requests.sessions.Session"),
        ("from urllib import request", "urllib.request"),
        ("from urllib.request import urlopen", "urllib.request.urlopen"),
        ("import urllib.request", "urllib.request"),
        ("import http.client", "http.client"),
        ("import socket\nsocket.create_connection(('x', 1))", "socket.create_connection"),
        ("from socket import socket as s\ns()", "socket.socket"),
        ("import asyncio\nasyncio.open_connection('x', 1)", "asyncio.open_connection"),
        ("async def f(loop): await loop.create_connection(None, 'x', 1)", ".create_connection"),
        ("import smtplib", "smtplib"),
        ("from ftplib import FTP", "ftplib.FTP"),
        ("import websockets.client", "websockets.client"),
        ("from PIL import Image", "PIL.Image"),
        ("import subprocess\nsubprocess.run(['curl'])", "subprocess"),
        ("import os\nos.system('curl')", "os.system"),
        ("def f(sdk): return sdk.AsyncOpenAI(api_key='x')", "AsyncOpenAI without a client of ours"),
        (
            "from mcp.client.streamable_http import streamable_http_client\nstreamable_http_client('x')",
            "streamable_http_client without a client of ours",
        ),
        ("from mcp.client.sse import sse_client\nsse_client('x')", "sse_client without a client of ours"),
        ("from mcp.client.stdio import stdio_client\nstdio_client(None)", "mcp.client.stdio.stdio_client"),
        ("from google import genai", "google.genai"),
        ("from llmconfig.net import build_client\nbuild_client(None)", "llmconfig.net.build_client"),
        ("from redis import Redis\nRedis.from_url('x')", "redis.Redis.from_url"),
    ],
)
def test_promise_15_the_reader_finds_what_it_looks_for(source: str, found: str) -> None:
    assert found in connections(source)


@pytest.mark.parametrize(
    "source",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import requests",
        "import httpx2\ndef f(client: httpx2.AsyncClient) -> None: ...",
        "from urllib.parse import urlsplit",
        "def f(sdk, http): return sdk.AsyncOpenAI(api_key='x', http_client=http)",
        "import httpx2\nhttpx2.Timeout(1)",
    ],
)
def test_promise_15_the_reader_finds_nothing_where_nothing_connects(source: str) -> None:
    assert connections(source) == []


@ONE_OF_EVERYONE
async def test_promise_15_every_provider_dials_through_the_guard(vendor: Vendor, seam: Seam, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each socket that is connected while it answers was judged at the guard's seam, where they are counted."""
    connected: list[Any] = []
    connect = socket.socket.connect

    def recorded(self: socket.socket, address: Any) -> None:
        connected.append(address)
        connect(self, address)

    with vendor.fake() as fake:
        seam.reachable.add(fake.port)
        monkeypatch.setattr(socket.socket, "connect", recorded)
        provider = vendor.open(fake.base_url)
        try:
            async for _ in provider.stream(ModelRequest(fake.models[0], (Message("user", (Text("Hi"),)),))):
                pass
            with suppress(ProviderError):  # some fakes have no list
                await provider.check(fake.models[0])
        finally:
            await provider.aclose()
    assert connected == seam.opened != []
    assert seam.dialled == []
