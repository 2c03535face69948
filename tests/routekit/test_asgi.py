"""The ASGI entry point: what reaches a view of the request that a server hands over."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from rest_framework.request import Request

from llmconfig.tenancy.rest.parsers import JSONParser
from routekit.asgi import application

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
