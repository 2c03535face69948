"""Telling documents from streams, and reading documents up to a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from llmconfig.providers import bodies
from llmconfig.providers.bodies import Document, is_a, read_document, stream_or_document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def sent(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(*chunks: bytes) -> list[object]:
    return [piece.value if isinstance(piece, Document) else piece async for piece in stream_or_document(sent(*chunks))]


async def test_a_document_is_read_whole_behind_blank_lines() -> None:
    assert await read(b"\n", b' {"a"', b": 1}") == [b"\n", {"a": 1}]
    assert await read(b"[1, ", b"2") == [None]
    assert await read() == []


async def test_a_stream_is_passed_on_wherever_it_is_cut() -> None:
    assert await read(b"data: ", b'{"a": 1}\n\n', b"data: [DONE]\n\n") == [b"data: ", b'{"a": 1}\n\n', b"data: [DONE]\n\n"]


async def test_a_page_is_no_document_and_not_read() -> None:
    assert await read(b"\n", b"  <!DOCTYPE html>", b"<p>data: ") == [b"\n", None]


async def test_no_document_is_read_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 8)
    assert await read(b'{"a": ', b"1}") == [{"a": 1}]
    assert await read(b'{"a": ', b"1} ") == [None]
    assert await read(b'{"a":  1}') == [None]


@pytest.mark.parametrize(("content", "value"), [(b'{"a": "\\u0000"}', {"a": ""}), (b"nothing", None), (b"[" * 100_000, None)])
async def test_what_is_read_is_storable_json_or_nothing(content: bytes, value: object) -> None:
    response = httpx2.Response(200, stream=httpx2.ByteStream(content))
    assert await read_document(response) == value
    assert response.is_closed


def test_kinds_are_told_by_their_beginning() -> None:
    response = httpx2.Response(200, headers={"content-type": "Application/JSON; charset=utf-8"})
    assert is_a("application/json", response)
    assert not is_a("text/html", response)
    assert not is_a("text/html", httpx2.Response(200))
