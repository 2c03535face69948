"""Promise 13 at the guarded client: of more than 120 addresses none is dialled. `tests/routekit/egress` sends them through every sink."""

from __future__ import annotations

import socket

import httpx2
import pytest

from llmconfig.net import EgressPolicy, UrlForbidden, check_url
from tests.llmconfig.net.stage import FakeResolver, Stage
from tests.llmconfig.net.vectors import ANSWERS, LISTED, NAMES, URLS

FORBIDDEN = (httpx2.TransportError, httpx2.InvalidURL)


def resolver() -> FakeResolver:
    fake = FakeResolver()
    for name, answers in ANSWERS.items():
        fake.always(name, answers)
    return fake


def test_promise_13_has_more_than_120_vectors() -> None:
    assert len(set(URLS)) >= 120


@pytest.mark.parametrize("url", URLS)
async def test_promise_13_nothing_is_dialled(url: str) -> None:
    stage = Stage(EgressPolicy(), resolver())
    async with stage.client() as client:
        with pytest.raises(FORBIDDEN):
            await client.get(url)
    assert stage.dialled == []


def test_promise_13_what_its_text_gives_away_is_refused_when_it_is_saved() -> None:
    """The rest are names, which only the dial can judge."""
    told, names = set(), set()
    for url in URLS:
        try:
            check_url(url, EgressPolicy())
            names.add(httpx2.URL(url).host.rstrip(".").lower())
        except UrlForbidden as refused:
            told.add(str(refused)[-1])
    assert told == {"."}
    assert names == {*NAMES, "b\u00fccher.example", "127.0.0.1.nip.example", "a"} - {"xn--bcher-kva.example"}


@pytest.mark.parametrize("entry", LISTED)
async def test_promise_13_metadata_stays_forbidden_even_when_it_is_listed(entry: str) -> None:
    host, _, port = entry.rpartition(":")
    stage = Stage(EgressPolicy(frozenset({entry})), resolver())
    async with stage.client() as client:
        with pytest.raises(httpx2.ConnectError, match="never connects"):
            await client.get(f"http://{host}:{80 if port == '*' else port}/")
    assert stage.dialled == []


@pytest.mark.parametrize("open_port", [True, False])
async def test_promise_13_a_refusal_tells_nothing_of_what_is_there(open_port: bool) -> None:
    """Neither whether the port is open nor, for a name, which address an internal DNS gave: nothing was asked."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if open_port:
            listener.listen()
        fake = FakeResolver(intranet_example=[["127.0.0.1"]])
        stage = Stage(EgressPolicy(), fake)
        async with stage.client() as client:
            with pytest.raises(httpx2.ConnectError) as by_name:
                await client.get(f"http://intranet.example:{port}/")
            with pytest.raises(httpx2.ConnectError) as by_address:
                await client.get(f"http://127.0.0.1:{port}/")
    advice = "to ROUTEKIT_PRIVATE_HOSTS first."
    assert str(by_name.value) == f"intranet.example leads to a private address. An operator must add intranet.example:{port} {advice}"
    assert str(by_address.value) == f"127.0.0.1 is a private address. An operator must add 127.0.0.1:{port} {advice}"
    assert stage.dialled == []


async def test_promise_13_other_schemes_reach_no_connector() -> None:
    from llmconfig.net.client import tls_context
    from llmconfig.net.transport import GuardedTransport

    transport = GuardedTransport(EgressPolicy(frozenset({"127.0.0.1:*"})), tls=tls_context())
    for url in ("ws://127.0.0.1/", "wss://127.0.0.1/", "ftp://127.0.0.1/", "unix:///run/x.sock", "http://127.0.0.1:65536/"):
        with pytest.raises((httpx2.UnsupportedProtocol, httpx2.InvalidURL)):
            await transport.handle_async_request(httpx2.Request("GET", url))
    assert transport._session is None
