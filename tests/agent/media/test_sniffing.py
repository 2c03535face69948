"""What a file is: by its bytes alone, and one list of what is taken."""

from __future__ import annotations

import tracemalloc
from io import BytesIO
from typing import IO

import pytest

from agent.media import Sniffed, Unknown, is_text, sniff
from tests.agent import files


def sniffed(data: bytes, name: str = "") -> Sniffed:
    return sniff(BytesIO(data), name)


@pytest.mark.parametrize(
    ("data", "kind", "media_type", "suffix"),
    [
        (files.png(), "image", "image/png", ".png"),
        (files.jpeg(), "image", "image/jpeg", ".jpg"),
        (files.gif(), "image", "image/gif", ".gif"),
        (b"GIF87a" + bytes(10), "image", "image/gif", ".gif"),
        (files.webp(), "image", "image/webp", ".webp"),
        (files.PDF, "document", "application/pdf", ".pdf"),
        (files.WAV, "audio", "audio/wav", ".wav"),
        (files.MP3, "audio", "audio/mpeg", ".mp3"),
        (files.MP3_WITH_TAGS, "audio", "audio/mpeg", ".mp3"),
        (files.AAC, "audio", "audio/aac", ".aac"),
        (files.FLAC, "audio", "audio/flac", ".flac"),
        (files.OPUS, "audio", "audio/ogg", ".ogg"),
        (files.brand(b"M4A "), "audio", "audio/mp4", ".m4a"),
        (files.brand(b"isom"), "video", "video/mp4", ".mp4"),
        (files.brand(b"mp42"), "video", "video/mp4", ".mp4"),
        (files.brand(b"qt  "), "video", "video/quicktime", ".mov"),
        (files.WEBM, "video", "video/webm", ".webm"),
        (files.WEBM_SOUND, "audio", "audio/webm", ".webm"),
        (b"just words", "document", "text/plain", ".txt"),
    ],
)
def test_what_is_taken(data: bytes, kind: str, media_type: str, suffix: str) -> None:
    found = sniffed(data, "report.exe")
    assert (found.kind, found.media_type, found.suffix) == (kind, media_type, suffix)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04" + bytes(40), "Office"),
        (b"MZ\x90\x00" + bytes(60), "Windows"),
        (b"\x7fELF\x02\x01\x01" + bytes(60), "ELF"),
        (files.brand(b"heic"), ""),
        (files.brand(b"avif"), ""),
        (files.MATROSKA, ""),
        (files.THEORA, ""),
        (b"RIFF\x24\x00\x00\x00AVI LIST" + bytes(20), ""),
        (b"\xff\xfb\xf0\x00" + bytes(20), ""),
        (b"\xff\xe8\x90\x00" + bytes(20), ""),
        (b"\xff\xff", ""),
        ("words in UTF-16".encode("utf-16"), ""),
        (b"caf\xe9 in Latin-1", ""),
        (b"half a character \xc3", ""),
        (b"text and then\x00a NUL", ""),
        (b"", ""),
    ],
)
def test_what_is_not_taken_is_named_where_anything_knows_it(data: bytes, words: str) -> None:
    with pytest.raises(Unknown) as refused:
        sniffed(data, "photo.png")
    assert words in refused.value.looks_like


@pytest.mark.parametrize(
    "source",
    [
        b"<!doctype html><script>alert(1)</script>",
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b"#!/bin/sh\nrm -rf /\n",
        b"MZ is how a magazine began",
        "ünïcode with a mark\N{ZERO WIDTH NO-BREAK SPACE}".encode("utf-8-sig"),
        b"\x1b[31mred\x1b[0m in a log\r\n",
    ],
)
def test_source_of_any_kind_is_text_and_never_what_a_browser_runs(source: bytes) -> None:
    assert sniffed(source, "evil.html") == Sniffed("document", "text/plain")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("notes.MD", "text/markdown"),
        ("notes.markdown", "text/markdown"),
        ("rows.csv", "text/csv"),
        ("data.json", "application/json"),
        ("page.svg", "text/plain"),
        (".md", "text/plain"),
        ("md", "text/plain"),
    ],
)
def test_a_name_tells_texts_apart_and_nothing_else(name: str, media_type: str) -> None:
    assert sniffed(b"a,b\n1,2\n", name).media_type == media_type
    assert is_text(media_type)
    assert sniffed(files.PDF, name).media_type == "application/pdf"


def test_a_character_across_two_chunks_is_one() -> None:
    assert sniffed(b"x" * 4095 + "é".encode() + b"y" * 300_000).media_type == "text/plain"


def test_a_long_text_is_looked_at_piece_by_piece(tmp_path: object) -> None:
    path = tmp_path / "long.txt"  # type: ignore[operator]
    path.write_bytes(b"all work and no play\n" * 1_000_000)
    file: IO[bytes]
    with path.open("rb") as file:
        tracemalloc.start()
        sniff(file)  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 2_000_000
