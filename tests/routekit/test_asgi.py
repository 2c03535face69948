"""The ASGI entry point: what reaches a view of the request that a server hands over."""

from __future__ import annotations

import asyncio
import json
import threading
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from rest_framework.request import Request

from agent.services import doorbell
from llmconfig.tenancy.rest.parsers import JSONParser
from routekit import asgi
from routekit.asgi import application

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

JSON = (b"content-type", b"application/json")


def received(body: bytes, *headers: tuple[bytes, bytes]) -> Any:
    scope = {"type": "http", "method": "POST", "path": "/api/conversations", "query_string": b"", "headers": [JSON, *headers]}
    request, problem = application.create_request(scope, BytesIO(body))
    assert problem is None
    return Request(request, parsers=[JSONParser()]).data


def test_a_body_sent_in_chunks_is_read() -> None:
    assert received(b'{"title": "Refunds"}', (b"transfer-encoding", b"chunked")) == {"title": "Refunds"}


def test_a_body_of_a_known_length_is_read() -> None:
    assert received(b'{"title": "Refunds"}', (b"content-length", b"20")) == {"title": "Refunds"}


def test_no_body_is_none() -> None:
    assert received(b"") == received(b"", (b"transfer-encoding", b"chunked")) == {}


async def posted(path: str, *headers: tuple[bytes, bytes]) -> tuple[int, int, Any]:
    """A body without end, 40 bytes at a time: how often it was asked for, the status, and the body of the answer."""
    asked, sent = 0, []

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x" * 40, "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": [(b"host", b"testserver"), *headers]}
    await application(scope, receive, send)
    return asked, sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize("header", [(b"authorization", b"Bearer x"), (b"cookie", b"routekit_session=x")])
async def test_a_body_is_read_no_further_than_any_view_would(settings: SettingsWrapper, header: tuple[bytes, bytes]) -> None:
    settings.MAX_BODY_BYTES = 100
    asked, status, body = await posted("/api/attachments", header)
    assert (asked, status) == (3, 413)
    assert json.loads(body)["errors"][0]["code"] == "request_too_large"


@pytest.mark.parametrize("path", ["/api/attachments", "/api/conversations", "/api/user/llm-config"])
async def test_promise_11_who_says_nothing_of_themselves_is_refused_without_their_body(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "ANONYMOUS_BODY_BYTES", 100)
    asked, status, body = await posted(path, (b"content-type", b"application/json"), (b"content-length", b"999999999"))
    assert (asked, status) == (3, 401)
    assert json.loads(body)["errors"][0]["code"] == "not_authenticated"


async def test_a_form_that_anyone_may_send_is_told_that_it_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "ANONYMOUS_BODY_BYTES", 100)
    asked, status, _ = await posted("/accounts/login/")
    assert (asked, status) == (3, 413)


async def test_a_server_that_starts_imports_what_the_first_message_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    started = threading.Event()
    monkeypatch.setattr(asgi, "_preload", started.set)
    events, told = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]), []

    async def receive() -> dict[str, str]:
        return next(events)

    async def send(message: dict[str, str]) -> None:
        told.append(message["type"])

    await application({"type": "lifespan"}, receive, send)
    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert await asyncio.to_thread(started.wait, 5)


def test_the_doorbell_is_ready_or_says_why_not(valkey: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    doorbell.preload()
    assert not caplog.records
    monkeypatch.setattr(doorbell, "_celery", lambda: None)
    doorbell.preload()
    assert "The broker does not answer yet" in caplog.text
