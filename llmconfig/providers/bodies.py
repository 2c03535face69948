"""The bodies of answers to our requests: of what kind they are, read whole up to a limit, and the JSON in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llmconfig.wire.decoding import storable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

MAX_BODY_BYTES = 16 * 1024 * 1024
"""The longest document that is read; the longest list of models known is 2 MB."""


def is_a(media_type: str, response: httpx2.Response) -> bool:
    kind: str = response.headers.get("content-type", "")
    return kind.lower().startswith(media_type)


async def read_document(response: httpx2.Response) -> object:
    """The JSON of a whole body, closed behind it; the SDK would read it however long it is. None for what is no JSON, or too long."""
    try:
        return json_of(await _joined(response.aiter_bytes()))
    finally:
        await response.aclose()


class Document:
    """value: its JSON; None for what is no JSON, or too long."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


async def stream_or_document(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes | Document]:
    """Of a body that goes by another name than a stream's: the chunks of a stream all the same, or one document, if not a page."""
    begun = False
    async for chunk in chunks:
        if not begun and chunk.lstrip().startswith((b"{", b"[", b"<")):
            page = chunk.lstrip().startswith(b"<")
            yield Document(None if page else json_of(await _joined(chunks, chunk)))
            return
        begun = begun or not chunk.isspace()
        yield chunk


async def lines_or_document(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes | Document]:
    """The same where the stream is lines of JSON, which begin as a document does: a first line that is a whole object makes it one."""
    begun = bytearray()
    async for chunk in chunks:
        begun += chunk
        if b"\n" in chunk or len(begun) > MAX_BODY_BYTES:
            break
    first, newline, _ = begun.lstrip().partition(b"\n")
    if not newline or not isinstance(json_of(bytes(first)), dict):
        yield Document(json_of(await _joined(chunks, bytes(begun))))
        return
    yield bytes(begun)
    async for chunk in chunks:
        yield chunk


async def _joined(chunks: AsyncIterator[bytes], begun: bytes = b"") -> bytes:
    """All that is still to come; nothing where it is longer than the limit."""
    body = bytearray(begun)
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            break
    return bytes(body) if len(body) <= MAX_BODY_BYTES else b""


def json_of(body: bytes) -> object:
    """None for what is no JSON."""
    try:
        return storable(json.loads(body))
    except (ValueError, RecursionError):
        return None
