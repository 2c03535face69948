"""Promise 4: after runs in which everything went wrong, and everybody repeated our secrets, they stand nowhere."""

from __future__ import annotations

import asyncio
import base64
import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from aiohttp import web
from django.conf import settings as installed

from agent.models import Run, Service, ServiceTool
from llmconfig.llm import Secret
from llmconfig.tenancy.keys import seal_for
from llmconfig.tenancy.sealed import Sealed
from tests.agent.mcp.fake import FakeService, tool
from tests.agent.rows import service_of
from tests.agent.worker.chat import model_at
from tests.canary import leaks, of_database, of_valkey
from tests.fakes.script import Answer, Call, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.agent.worker.chat import Chat
    from tests.fakes.anthropic import FakeAnthropic
    from tests.fakes.openai import FakeOpenAI
    from tests.llmconfig.people import Person

KEY = "lemonade-c4n4ry-0f-4l1ce/0123456789+abcdef"
"""Of no vendor's shape: no pattern knows it."""
TOKEN = "marmalade-c4n4ry-t0k3n-0123456789abcdef"


def echoes(secret: str) -> list[str]:
    return [
        f"Incorrect API key provided: {secret}.",
        f"The key {base64.b64encode(secret.encode()).decode()} is not valid",
        f"Bad header: {base64.urlsafe_b64encode(f'user:{secret}'.encode()).decode().rstrip('=')}",
        f"No access for {quote(secret, safe='')} here",
        f"The key {secret[:20]}… is not valid",
        f"In hex it is {secret.encode().hex()}",
        "x" * 470 + secret,
    ]


@contextmanager
def serving(service: FakeService) -> Iterator[None]:
    """In a thread with a loop of its own, as another process would be."""
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_route("*", "/mcp", service.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        service.url = "http://{}:{}/mcp".format(*runner.addresses[0][:2])
        ready.set()
        await over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All that anybody logs, at the lowest level."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        if not name.startswith(("django.db", "hypothesis", "faker")):
            caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def written(told: pytest.LogCaptureFixture, chat: Chat) -> dict[str, bytes]:
    """Everything that is left of the runs (their events lie in Valkey), and everything that the API tells of them."""
    answers: dict[str, bytes] = {}
    for run in Run.objects.all():
        answers[f"run {run.pk}"] = chat.client.get(f"/api/runs/{run.pk}").content
    for path in ("/api/user/llm-config", "/api/user/services", "/api/models", f"/api/conversations/{chat.id}/messages"):
        answers[path] = chat.client.get(path).content
    lines = map(logging.Formatter("%(asctime)s %(name)s %(message)s").format, told.records)
    log = "\n".join((*lines, *(repr({**record.__dict__, "exc_info": None}) for record in told.records)))
    return {"log": log.encode(), "rings": repr(chat.worker.rings).encode(), **answers, **of_database(), **of_valkey(installed.REDIS_URL)}


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_promise_4_a_provider_that_repeats_the_key_in_every_fault(
    vendor: str, chat: Chat, alice: Person, told: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    fake: FakeOpenAI | FakeAnthropic = request.getfixturevalue(vendor)
    target = model_at(alice, fake, key=KEY)
    for status in (400, 401, 403, 404, 429, 500):
        for echo in echoes(KEY):
            fake.script(Failure(status, fake.error_body(status, echo), {"x-request-id": KEY, "www-authenticate": f"Bearer {KEY}"}))
            assert chat.ask("Hello", target)["status"] == "failed"
    for echo in echoes(KEY):
        fake.script(Failure(401, echo), Failure(302, "", {"Location": f"https://x.example/?key={quote(KEY, safe='')}"}))
        chat.ask("Hello", target)
        chat.ask("Hello", target)
        fake.script(Answer("one two", error={"type": "api_error", "message": echo}))
        chat.ask("Hello", target)
    fake.script(Answer("one two three", cut_after=4))
    chat.ask("Hello", target)
    fake.listing = Failure(401, fake.error_body(401, echoes(KEY)[0]))
    assert chat.client.post("/api/user/llm-config/test", {"id": target.partition("/")[0]}).json()["ok"] is False
    found = written(told, chat)
    assert b"Incorrect API key" in b"".join(found.values())  # it was told of, but for the key
    assert leaks({"key": KEY}, found) == []


def test_promise_4_a_provider_that_breaks_with_the_key_in_its_hands(
    chat: Chat, alice: Person, openai: FakeOpenAI, told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours, whose traceback goes to the log, where an exception quotes the request and the request the key."""
    from llmconfig.providers.openai import OpenAIProvider
    from llmconfig.providers.openai_compatible import OpenAICompatibleProvider

    async def broken(self: Any, *_: object) -> Any:
        headers = {"Authorization": f"Bearer {self._key.reveal()}"}
        raise KeyError(f"no such thing in {headers} of {base64.b64encode(self._key.reveal().encode())!r}")

    for provider in (OpenAIProvider, OpenAICompatibleProvider):
        monkeypatch.setattr(provider, "_request", broken)
    run = chat.ask("Hello", model_at(alice, openai, key=KEY))
    assert run["status"] == "failed"
    found = written(told, chat)
    assert b"no such thing in" in found["log"]
    assert leaks({"key": KEY}, found) == []


def test_promise_4_a_service_that_repeats_its_token(
    chat: Chat, alice: Person, anthropic: FakeAnthropic, told: pytest.LogCaptureFixture
) -> None:
    """In what it lists, what a tool answers, its errors, and its headers. A result is data for the model; our own token is none of it."""
    service = FakeService()
    texts = [*echoes(TOKEN), f"Bearer {TOKEN}"]
    listed = [tool("echo", description=" ".join(texts), title=TOKEN), tool(f"tool-{TOKEN}")]
    listed[0]["inputSchema"] = {"type": "object", "properties": {"x": {"type": "string", "description": texts[1], "default": TOKEN}}}
    service.tools(*listed)
    service.result(content=[{"type": "text", "text": text} for text in texts], structuredContent={"token": TOKEN})
    with serving(service):
        row = service_of(alice, "echo", slug="crm", policy="auto")
        Service.objects.filter(pk=row.pk).update(url=service.url, auth_type="bearer", token=Sealed(seal_for(row, "token", Secret(TOKEN))))
        target = model_at(alice, anthropic, key=KEY)
        assert chat.client.post(f"/api/user/services/{row.pk}/test", {}).json()["ok"] is True
        chat.post(f"/api/user/services/{row.pk}/tools/echo/approve")
        ServiceTool.objects.filter(service=row, name="echo").update(policy="auto", read_only=True)
        anthropic.script(Answer("Let me see.", calls=[Call("crm__echo", {})]), Answer("Done."))
        chat.ask("Do it", target)
        assert chat.client.post(f"/api/user/services/{row.pk}/test", {}).json()["ok"] is True
        assert b"is not valid" in chat.client.get(f"/api/user/services/{row.pk}/tools").content

        async def refuse(_: web.Request, message: dict[str, Any]) -> web.Response:
            error = {"code": -32000, "message": " ".join(texts)}
            return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": error}, headers={"x-echo": TOKEN})

        service.on["tools/call"] = service.on["tools/list"] = refuse
        anthropic.script(Answer("Again.", calls=[Call("crm__echo", {})]), Answer("It failed."))
        chat.ask("Again", target)
        chat.client.post(f"/api/user/services/{row.pk}/test", {})

        async def forbid(_: web.Request) -> web.Response:
            return web.Response(status=401, text=" ".join(texts), headers={"www-authenticate": f'Bearer realm="{TOKEN}"'})

        service.every = forbid
        assert chat.client.post(f"/api/user/services/{row.pk}/test", {}).json()["ok"] is False
    found = written(told, chat) | {"sent to the model": repr([call.body for call in anthropic.calls]).encode()}
    assert b"is not valid" in found["sent to the model"]
    assert leaks({"key": KEY, "token": TOKEN}, found) == []
