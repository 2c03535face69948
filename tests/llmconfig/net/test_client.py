"""The guarded client: what it dials and what it never dials, and how failures, streams and cancels come out of it."""

from __future__ import annotations

import asyncio
import datetime
import os
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from aiohttp import web

from llmconfig.llm import Timeouts
from llmconfig.net import AddressForbidden, CertificateRefused, EgressPolicy, NameNotResolved, build_client
from llmconfig.net.transport import GuardedTransport
from tests.llmconfig.net.stage import FakeResolver, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

LOOPBACK = EgressPolicy(frozenset({"127.0.0.1:*", "localhost:*"}))


@asynccontextmanager
async def serving(handle: Callable[[web.Request], Awaitable[web.StreamResponse]], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """Bytes of our choice. The server is left once its conversation has ended."""
    ended = asyncio.Event()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.wait_for(ended.wait(), 5)


# What is dialled


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.0.4.12", "169.254.169.254", "[::1]", "[::ffff:169.254.169.254]", "0.0.0.1", "2130706433"]
)
async def test_forbidden_literals_are_never_dialled(host: str) -> None:
    stage = Stage(EgressPolicy(), FakeResolver())
    async with stage.client() as client:
        with pytest.raises(AddressForbidden):
            await client.get(f"http://{host}/v1")
    assert stage.dialled == []


@pytest.mark.parametrize(
    "answers",
    [
        ["10.0.4.12"],
        ["169.254.169.254"],
        ["100.100.100.200"],
        ["::1"],
        ["fd00:ec2::254"],
        ["2002:7f00:1::"],
        ["93.184.216.34", "127.0.0.1"],
        ["93.184.216.34", "2606:4700::1111", "::ffff:10.0.0.1"],
    ],
)
async def test_a_name_with_any_forbidden_address_is_never_dialled(answers: list[str]) -> None:
    stage = Stage(EgressPolicy(), FakeResolver(api_example_com=[answers]))
    async with stage.client() as client:
        with pytest.raises(AddressForbidden):
            await client.get("https://api.example.com/v1")
    assert stage.dialled == []


async def test_the_message_says_what_an_operator_must_list() -> None:
    stage = Stage(EgressPolicy(), FakeResolver(**{"gpu-02": [["10.0.4.12"]]}))
    async with stage.client() as client:
        with pytest.raises(AddressForbidden) as caught:
            await client.get("http://gpu-02:11434/v1/models")
    assert str(caught.value) == "gpu-02 leads to a private address. An operator must add gpu-02:11434 to ROUTEKIT_PRIVATE_HOSTS first."


async def test_public_names_are_dialled_at_every_address() -> None:
    stage = Stage(EgressPolicy(), FakeResolver(api_example_com=[["93.184.216.34", "93.184.216.35"]]))
    async with stage.client() as client:
        with pytest.raises(httpx2.ConnectError, match="connection refused"):
            await client.get("https://api.example.com/v1")
    assert set(stage.dialled) == {"93.184.216.34", "93.184.216.35"}


async def test_a_listed_name_may_be_private_but_never_metadata() -> None:
    policy = EgressPolicy(frozenset({"gpu-02:11434", "evil:*", "169.254.169.254:80"}))
    stage = Stage(policy, FakeResolver(**{"gpu-02": [["10.0.4.12"]], "evil": [["169.254.169.254"]], "other": [["10.0.4.12"]]}))
    async with stage.client() as client:
        with pytest.raises(httpx2.ConnectError, match="connection refused"):
            await client.get("http://gpu-02:11434/")
        assert stage.dialled == ["10.0.4.12"]
        for url in ("http://gpu-02/", "http://evil/", "http://169.254.169.254/", "http://other:11434/"):
            with pytest.raises(AddressForbidden):
                await client.get(url)
    assert stage.dialled == ["10.0.4.12"]


async def test_a_name_that_turns_private_is_refused_at_the_second_dial() -> None:
    resolver = FakeResolver(api_example_com=[["93.184.216.34"], ["127.0.0.1"]])
    for expected in (httpx2.ConnectError, AddressForbidden):
        stage = Stage(EgressPolicy(), resolver)
        async with stage.client() as client:
            with pytest.raises(expected):
                await client.get("http://api.example.com/")
        assert "127.0.0.1" not in stage.dialled


async def test_a_listed_and_an_unlisted_name_at_one_address_stay_apart() -> None:
    policy = EgressPolicy(frozenset({"listed:80"}))
    stage = Stage(policy, FakeResolver(listed=[["10.0.0.1"]], unlisted=[["10.0.0.1"]]))
    async with stage.client() as client:
        results = await asyncio.gather(
            *(client.get(f"http://{name}/") for name in ("listed", "unlisted") * 5),
            return_exceptions=True,
        )
    assert [type(result) is AddressForbidden for result in results] == [False, True] * 5
    assert len(stage.dialled) == 5


async def test_proxies_in_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def handle(request: web.Request) -> web.Response:
        return web.Response(text="direct")

    async with serving(handle) as port, build_client(LOOPBACK) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).text == "direct"


async def test_redirects_and_cookies_lead_nowhere() -> None:
    seen: list[tuple[str, str | None]] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers.get("cookie")))
        return web.Response(status=307, headers={"location": "http://169.254.169.254/", "set-cookie": "tenant=alice; Path=/"})

    async with serving(handle) as port, build_client(LOOPBACK) as client:
        for path in ("/a", "/b"):
            assert (await client.get(f"http://127.0.0.1:{port}{path}")).status_code == 307
    assert seen == [("/a", None), ("/b", None)]


# How it carries


async def test_a_body_streams_as_it_arrives_and_connections_are_reused() -> None:
    go_on = asyncio.Event()
    peers: list[Any] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername"))
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await go_on.wait()
        await response.write(b"second")
        return response

    async with serving(handle) as port, build_client(LOOPBACK) as client:
        for _ in range(2):
            go_on.clear()
            async with client.stream("POST", f"http://127.0.0.1:{port}/", json={"a": 1}) as response:
                chunks = response.aiter_bytes()
                assert await anext(chunks) == b"first"
                go_on.set()
                assert [chunk async for chunk in chunks] == [b"second"]
    assert peers[0] == peers[1]


async def test_a_long_header_is_read() -> None:
    policy = "default-src 'self'; " + "https://app.example.com " * 1000

    async def handle(_: web.Request) -> web.Response:
        return web.Response(text="ok", headers={"content-security-policy": policy})

    async with serving(handle) as port, build_client(LOOPBACK) as client:
        response = await client.get(f"http://127.0.0.1:{port}/")
    assert (response.text, response.headers["content-security-policy"]) == ("ok", policy.strip())


async def test_gzip_is_decoded_once_and_bodies_arrive_whole() -> None:
    async def handle(request: web.Request) -> web.Response:
        response = web.json_response({"echo": (await request.read()).decode(), "type": request.content_type})
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"one ", b"two"):
            yield piece

    async with serving(handle) as port, build_client(LOOPBACK, headers={"x-a": "b"}) as client:
        url = f"http://127.0.0.1:{port}/"
        response = await client.post(url, json={"a": 1})
        assert response.headers["content-encoding"] == "gzip"
        assert response.json() == {"echo": '{"a":1}', "type": "application/json"}
        assert (await client.post(url, content=pieces())).json()["echo"] == "one two"
        assert (await client.get(url)).json()["echo"] == ""


@pytest.mark.parametrize("while_waiting", [False, True])
async def test_closing_early_reaches_the_server_at_once(while_waiting: bool) -> None:
    gone, began = asyncio.Event(), asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        try:
            if not while_waiting:
                await response.prepare(request)
                await response.write(b"x")
            began.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            gone.set()
            raise
        return response

    async with serving(handle) as port, build_client(LOOPBACK) as client:

        async def read() -> None:
            async with client.stream("GET", f"http://127.0.0.1:{port}/") as response:
                async for _ in response.aiter_bytes():
                    pass

        task = asyncio.create_task(read())
        await asyncio.wait_for(began.wait(), 5)
        task.cancel()
        await asyncio.wait_for(gone.wait(), 2)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_closing_early_does_not_wait_for_a_polite_end_of_tls(tmp_path: Path) -> None:
    """A server that never answers TLS's goodbye would otherwise go on being read from for half a minute."""
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(self_signed(tmp_path))
    client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_tls.check_hostname, client_tls.verify_mode = False, ssl.CERT_NONE

    def serve_one(listener: socket.socket) -> bytes:
        """What the socket itself carries after the answer's first piece, up to its end; TLS has no say in it."""
        with server_tls.wrap_socket(listener.accept()[0], server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
            with socket.socket(fileno=os.dup(secure.fileno())) as bare:
                bare.settimeout(2)
                return b"".join(iter(lambda: bare.recv(65536), b""))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = asyncio.create_task(asyncio.to_thread(serve_one, listener))
        async with build_client(LOOPBACK, transport=GuardedTransport(LOOPBACK, tls=client_tls)) as client:
            async with client.stream("GET", f"https://127.0.0.1:{listener.getsockname()[1]}/") as response:
                assert await anext(response.aiter_bytes()) == b"x"
            await served  # raises TimeoutError where the connection stays open


async def test_two_hundred_streams_at_once_through_one_client() -> None:
    waiting, all_there = 0, asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal waiting
        waiting += 1
        if waiting == 200:
            all_there.set()
        await all_there.wait()
        return web.Response(text="ok")

    async with serving(handle) as port, build_client(LOOPBACK) as client:
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*(client.get(f"http://127.0.0.1:{port}/") for _ in range(200)))
    assert {answer.text for answer in answers} == {"ok"}


# How it fails


async def failure(url: str, timeouts: Timeouts = Timeouts()) -> Exception:  # noqa: B008
    async with build_client(LOOPBACK, timeouts=timeouts) as client:
        with pytest.raises(httpx2.TransportError) as caught:
            async with client.stream("POST", url, json={}) as response:
                await response.aread()
    return caught.value


async def test_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = await failure(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert type(error) is httpx2.ConnectError
    assert str(error) == "connection refused"


async def test_a_name_that_cannot_be_looked_up() -> None:
    async with build_client(EgressPolicy()) as client:
        with pytest.raises(httpx2.UnsupportedProtocol, match="the URL cannot be used"):
            await client.get("http://a..example/")


async def test_a_name_without_address() -> None:
    stage = Stage(EgressPolicy(), FakeResolver())
    async with stage.client() as client:
        with pytest.raises(NameNotResolved, match="DNS"):
            await client.get("https://nowhere.example/")


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n"])
async def test_silence_before_and_within_the_answer(begun: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await reader.read()

    async with raw_server(talk) as port:
        error = await failure(f"http://127.0.0.1:{port}/", Timeouts(idle=0.1))
    assert type(error) is httpx2.ReadTimeout


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "without an answer"),
        (b"220 smtp.example.com ESMTP\r\n", "did not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", "in the middle"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhel", "in the middle"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "did not answer in HTTP"),
    ],
)
async def test_broken_answers_are_protocol_errors(answer: bytes, message: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(answer)

    async with raw_server(talk) as port:
        error = await failure(f"http://127.0.0.1:{port}/")
    assert type(error) is httpx2.RemoteProtocolError
    assert message in str(error)


@pytest.mark.parametrize("ending", ["endless", "cut", "silent"])
async def test_of_an_error_as_much_is_read_as_people_need(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmconfig.net.transport.ERROR_S", 0.2)
    said = b'{"error": "no"}'

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 99999999999\r\n\r\n" + said)
        with suppress(ConnectionError):
            while ending == "endless":
                writer.write(b" " * 65536)
                await writer.drain()
            if ending == "silent":
                await reader.read()

    async with asyncio.timeout(5), raw_server(refuse) as port, build_client(LOOPBACK) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/")
    assert answer.status_code == 401
    assert answer.content.strip() == said
    assert len(answer.content) <= 64 * 1024


async def test_a_certificate_nobody_vouches_for(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))

    async def handle(request: web.Request) -> web.Response:
        raise AssertionError("a request reached a server that was not trusted")

    async with serving(handle, tls=context) as port:
        error = await failure(f"https://127.0.0.1:{port}/")
    assert type(error) is CertificateRefused
    assert "self-signed" in str(error)


async def test_https_to_a_plain_server() -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response()

    async with serving(handle) as port:
        error = await failure(f"https://127.0.0.1:{port}/")
    assert type(error) is CertificateRefused


def self_signed(folder: Path) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    path = folder / "server.pem"
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return path
