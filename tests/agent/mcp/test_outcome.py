"""agent.mcp.outcome"""

from __future__ import annotations

import base64

import pytest
from mcp_types import CallToolResult

from agent.mcp.outcome import read_result
from llmconfig.llm import Media, Text

PNG = b"\x89PNG\r\n\x1a\n...."
CODED = base64.b64encode(PNG).decode()


def outcome(*content, text_bytes=1000, scrub=str, **more):
    return read_result(CallToolResult.model_validate({"content": content, **more}), text_bytes=text_bytes, scrub=scrub)


def test_text_image_and_audio() -> None:
    got = outcome(
        {"type": "text", "text": "hello"},
        {"type": "image", "data": CODED, "mimeType": "image/PNG; q=1"},
        {"type": "audio", "data": CODED, "mimeType": "audio/wav"},
    )
    assert got.parts == (Text("hello"), Media("image", "image/png", PNG), Media("audio", "audio/wav", PNG))
    assert (got.is_error, got.truncated) == (False, False)


def test_resources_and_links() -> None:
    got = outcome(
        {"type": "resource", "resource": {"uri": "doc://1", "text": "body"}},
        {"type": "resource", "resource": {"uri": "doc://2", "mimeType": "application/pdf", "blob": CODED}},
        {"type": "resource_link", "uri": "doc://3", "name": "third", "description": "the rest"},
        {"type": "resource_link", "uri": "doc://4", "name": "fourth"},
    )
    assert got.parts == (
        Text("[doc://1]\nbody"),
        Media("document", "application/pdf", PNG, "doc://2"),
        Text("[third: the rest] doc://3"),
        Text("[fourth] doc://4"),
    )


def test_structured_content_speaks_where_no_text_does() -> None:
    assert outcome(structuredContent={"n": 1, "name": "ä"}).parts == (Text('{"n": 1, "name": "ä"}'),)
    assert outcome({"type": "text", "text": "n is 1"}, structuredContent={"n": 1}).parts == (Text("n is 1"),)


def test_nothing_is_said_to_be_nothing() -> None:
    assert outcome(isError=True).parts == (Text("[the tool returned nothing]"),)


@pytest.mark.parametrize(("media_type", "data"), [
    ("image/svg+xml", CODED), ("text/html", CODED), ("image/png\r\nx", CODED), ("", CODED), ("image/png", "%%%"),
])  # fmt: skip
def test_media_that_cannot_be_taken_is_named_instead(media_type, data) -> None:
    (part,) = outcome({"type": "image", "data": data, "mimeType": media_type}).parts
    assert isinstance(part, Text)
    assert "left out" in part.text


def test_video_comes_only_embedded() -> None:
    (part,) = outcome({"type": "resource", "resource": {"uri": "v://1", "mimeType": "video/mp4", "blob": CODED}}).parts
    assert part == Media("video", "video/mp4", PNG, "v://1")


def test_the_cut_is_visible_counts_bytes_and_splits_no_character() -> None:
    got = outcome({"type": "text", "text": "ab"}, {"type": "text", "text": "äöü"}, {"type": "text", "text": "gone"}, text_bytes=5)
    assert got.truncated
    assert got.parts == (Text("ab"), Text("ä\n[cut here: 3 of 6 bytes left out]"))


def test_text_that_just_fits_is_whole() -> None:
    got = outcome({"type": "text", "text": "äöü"}, text_bytes=6)
    assert got.parts == (Text("äöü"),)
    assert not got.truncated


def test_credentials_and_nul_do_not_get_through() -> None:
    got = outcome({"type": "text", "text": "key=sesame\x00"}, scrub=lambda text: text.replace("sesame", "••••"))
    assert got.parts == (Text("key=••••\ufffd"),)


def test_a_name_that_postgres_could_not_store_is_made_storable() -> None:
    got = outcome({"type": "resource", "resource": {"uri": "doc://a\x00/b", "mimeType": "image/png", "blob": CODED}})
    assert got.parts == (Media("image", "image/png", PNG, "doc://a\ufffd/b"),)


def test_text_that_comes_as_a_blob_is_still_text() -> None:
    got = outcome(
        {"type": "resource", "resource": {"uri": "doc://1", "mimeType": "text/plain; charset=utf-8", "blob": "ZsO8cg=="}},
        {"type": "resource", "resource": {"uri": "doc://2", "mimeType": "application/json", "blob": CODED}},
    )
    assert got.parts == (Text("[doc://1]\nfür"), Text("[doc://2: application/json left out, its data is not base64 of UTF-8]"))
