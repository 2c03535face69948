"""Promise 14: between the question to a resolver and the dial nothing changes, and what a server answers leads nowhere else."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from aiohttp import web

from llmconfig.llm import Credentials, Media, Message, ModelRequest, ProviderError, Secret, Text
from llmconfig.net import AddressForbidden, EgressPolicy, build_client
from llmconfig.providers.uploads import MediaLimits
from tests.fakes.gemini import FakeGemini
from tests.llmconfig.net.stage import FakeResolver, Seam, Stage
from tests.llmconfig.net.test_client import serving
from tests.llmconfig.net.vectors import ANSWERS, URLS
from tests.llmconfig.vendors import ONE_OF_EVERYONE, Vendor

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC = ["93.184.216.34"]
KEY = "sk-alice-0123456789abcdefghij"


@pytest.fixture
def seam(monkeypatch: pytest.MonkeyPatch) -> Seam:
    seam = Seam(monkeypatch)
    for name, answers in ANSWERS.items():
        seam.resolver.always(name, answers)
    return seam


@pytest.mark.parametrize("then", [["127.0.0.1"], ["169.254.169.254"], ["::1"], ["10.0.0.1", *PUBLIC]])
@pytest.mark.parametrize("requests", [1, 20])
async def test_promise_14_a_name_that_answers_otherwise_the_next_time(then: list[str], requests: int) -> None:
    """What was judged is what is dialled: there is no second question between the two. Later answers are judged anew."""
    stage = Stage(EgressPolicy(), FakeResolver(api_example_com=[PUBLIC, then]))
    async with stage.client() as client:
        for _ in range(3):
            calls = (client.get("http://api.example.com/") for _ in range(requests))
            assert all(isinstance(answer, httpx2.ConnectError) for answer in await asyncio.gather(*calls, return_exceptions=True))
    assert set(stage.dialled) <= set(PUBLIC)


@pytest.mark.parametrize(
    "answers", [[*PUBLIC, "127.0.0.1"], ["127.0.0.1", *PUBLIC], [*PUBLIC * 9, "fd00::1"], ["2606:4700::1111", "10.0.0.1"]]
)
async def test_promise_14_one_forbidden_answer_among_many_forbids_the_name(answers: list[str]) -> None:
    """No race between addresses can then choose the wrong one."""
    stage = Stage(EgressPolicy(), FakeResolver(api_example_com=[answers]))
    async with stage.client() as client:
        with pytest.raises(AddressForbidden):
            await client.get("https://api.example.com/")
    assert stage.dialled == []


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_promise_14_redirects_are_followed_nowhere(status: int, seam: Seam) -> None:
    seen: list[str] = []
    where = ""

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=status, headers={"Location": where, "Refresh": f"0; url={where}", "Alt-Svc": 'h2="127.0.0.1:443"'})

    async with serving(handle) as port, build_client(EgressPolicy(frozenset({f"127.0.0.1:{port}"}))) as client:
        seam.reachable.add(port)
        for where in (
            "http://169.254.169.254/",
            "https://evil.example/",
            f"http://127.0.0.1:{port}/other",
            *(u for u in URLS if u.isprintable()),
        ):
            if where.isascii():
                assert (await client.post(f"http://127.0.0.1:{port}/first", json={})).status_code == status
    assert set(seen) == {"/first"}
    assert seam.dialled == []
    assert seam.resolver.asked == []


@ONE_OF_EVERYONE
@pytest.mark.parametrize("status", [301, 307])
async def test_promise_14_a_providers_redirect_takes_no_credential_along(vendor: Vendor, status: int, seam: Seam) -> None:
    """To another port of the same host is another origin, too: the thief listens, and hears nothing."""
    stolen: list[Any] = []

    async def thief(request: web.Request) -> web.Response:
        stolen.append(request.headers)
        return web.json_response({})

    async with serving(thief) as elsewhere:

        async def moved(_: web.Request) -> web.Response:
            return web.Response(status=status, headers={"Location": f"http://127.0.0.1:{elsewhere}/v1"})

        async with serving(moved) as port:
            seam.reachable |= {port, elsewhere}
            provider = vendor.open(f"http://127.0.0.1:{port}")
            try:
                with pytest.raises(ProviderError):
                    async for _ in provider.stream(ModelRequest(vendor.model, (Message("user", (Text("Hi"),)),))):
                        pass
                with pytest.raises(ProviderError):
                    await provider.check(vendor.model)
            finally:
                await provider.aclose()
    assert stolen == []
    assert seam.dialled == []


async def test_promise_14_where_an_upload_goes_is_no_way_inside(seam: Seam, monkeypatch: pytest.MonkeyPatch) -> None:
    """Google names the address that the bytes of a file go to. The key does not go there, and nothing does where nothing may."""
    monkeypatch.setattr("llmconfig.providers.gemini.LIMITS", MediaLimits(inline_total=1, each={"document": 50_000}))
    where = ""

    async def begin(self: FakeGemini, request: web.Request) -> web.Response:
        return web.Response(headers={"X-Goog-Upload-URL": where})

    monkeypatch.setattr(FakeGemini, "begin_upload", begin)
    request = ModelRequest("gemini-3-flash-preview", (Message("user", (Media("document", "application/pdf", b"%PDF-plan"), Text("?"))),))
    with FakeGemini() as fake:
        seam.reachable.add(fake.port)
        from llmconfig.providers.gemini import GeminiProvider

        provider = GeminiProvider(Credentials(fake.base_url, {"api_key": Secret(KEY)}), egress=EgressPolicy(frozenset({fake.host})))
        try:
            for url in URLS:
                if url.isascii() and url.isprintable():
                    where = url
                    with pytest.raises(ProviderError):
                        await anext(aiter(provider.stream(request)))
        finally:
            await provider.aclose()
        assert not [call for call in fake.calls if "upload" not in call.path]
    assert seam.dialled == []


async def test_promise_14_the_key_stays_where_an_upload_goes_elsewhere(seam: Seam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmconfig.providers.gemini.LIMITS", MediaLimits(inline_total=1, each={"document": 50_000}))
    received: list[tuple[Any, bytes]] = []

    async def store(request: web.Request) -> web.Response:
        received.append((request.headers, await request.read()))
        return web.json_response({"file": {"uri": "https://x/files/1", "state": "ACTIVE"}})

    from llmconfig.providers.google_files import GoogleFiles

    monkeypatch.setattr(GoogleFiles, "_begun", lambda self, part: _at(address))
    with FakeGemini() as fake:
        async with serving(store) as elsewhere:
            address = f"http://127.0.0.1:{elsewhere}/upload"
            seam.reachable |= {fake.port, elsewhere}
            from llmconfig.providers.gemini import GeminiProvider

            policy = EgressPolicy(frozenset({"127.0.0.1:*"}))
            provider = GeminiProvider(Credentials(fake.base_url, {"api_key": Secret(KEY)}), egress=policy)
            request = ModelRequest(
                "gemini-3-flash-preview", (Message("user", (Media("document", "application/pdf", b"%PDF-"), Text("?"))),)
            )
            with suppress(ProviderError):  # it does not know that file
                await anext(aiter(provider.stream(request)))
            await provider._http.aclose()
    assert {body for _, body in received} == {b"%PDF-"}
    assert KEY not in str([headers for headers, _ in received])


async def _at(address: str) -> str:
    return address


async def test_promise_14_nothing_is_taken_from_the_environment(tmp_path: Path, seam: Seam, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no netrc. A proxy would be dialled instead of what was judged, and hear every key that is sent without TLS."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login alice password from-the-netrc\ndefault login alice password from-the-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text(netrc.read_text())
    (tmp_path / ".netrc").chmod(0o600)
    seen: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.headers)
        return web.Response(text="direct", headers={"Set-Cookie": "tenant=alice; Path=/"})

    async with serving(handle) as port, build_client(EgressPolicy(frozenset({f"127.0.0.1:{port}"}))) as client:
        seam.reachable.add(port)
        for _ in range(2):
            assert (await client.get(f"http://127.0.0.1:{port}/")).text == "direct"
    assert [name for headers in seen for name in headers if name.lower() in ("authorization", "cookie", "proxy-authorization")] == []
    assert seam.dialled == []


def test_promise_14_tls_writes_no_keys_down_and_speaks_no_second_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP/2 would let one connection serve every name of its certificate."""
    from llmconfig.net.client import tls_context

    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    context = tls_context.__wrapped__()
    assert context.keylog_filename is None
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"


async def test_promise_14_a_kept_connection_is_of_one_host_and_port_alone() -> None:
    """Whom a connection was judged for is who uses it: another name at the same address dials anew, and is judged."""
    stage = Stage(EgressPolicy(frozenset({"listed:80"})), FakeResolver(listed=[["10.0.0.1"]], unlisted=[["10.0.0.1"]]))
    async with stage.client() as client:
        with pytest.raises(httpx2.ConnectError, match="connection refused"):
            await client.get("http://listed/")
        with pytest.raises(AddressForbidden):
            await client.get("http://unlisted/", headers={"Host": "listed"})
    assert stage.dialled == ["10.0.0.1"]
