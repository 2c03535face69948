"""Splitting server-sent events from bytes that are cut anywhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmconfig.llm import StreamInterrupted
from llmconfig.wire.sse import EventSplitter

if TYPE_CHECKING:
    from collections.abc import Iterator


def split(*chunks: bytes, max_bytes: int = 1000) -> list[bytes]:
    splitter = EventSplitter(max_bytes)
    return [payload for chunk in chunks for payload in splitter.feed(chunk)]


@pytest.mark.parametrize(
    ("raw", "payloads"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"event: x\nid: 1\nretry: 5\ndata: a\n\n", [b"a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\n\r\n", [b"a", b"b"]),
        (b": ping\n\n: OPENROUTER PROCESSING\n\ndata: a\n\n", [b"a"]),
        (b"event: only\n\ndata: a\n\n", [b"a"]),
        (b": error: a\nevent: errors\nerrors: a\nid: error\ndata: a\n\n", [b"a"]),
        (b"event: error\n\ndata:\ndata: a\n\n", [b"\na"]),
        (b"data:\n\ndata\n\n", []),
        (b"\n\n\ndata: a\n\n\n\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
        (b"data: gr\xc3\xbc\xc3\x9fe \xf0\x9f\x94\x8e\n\n", ["grüße 🔎".encode()]),
        (b"data: unended\n", []),
        (b"database: a\n\n", []),
    ],
)
def test_the_grammar_however_it_is_cut(raw: bytes, payloads: list[bytes]) -> None:
    assert split(raw) == payloads
    assert split(*(raw[i : i + 1] for i in range(len(raw)))) == payloads
    for cut in range(len(raw) + 1):
        assert split(raw[:cut], b"", raw[cut:]) == payloads


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"data: a", b"data:", b"data: \xc3\xbc", b": c", b"event: e", b"", b"x"])), st.data())
def test_line_ends_and_chunks_make_no_difference(lines: list[bytes], data: st.DataObject) -> None:
    ends = data.draw(st.lists(st.sampled_from([b"\n", b"\r\n"]), min_size=len(lines), max_size=len(lines)))
    raw = b"".join(line + end for line, end in zip(lines, ends, strict=True))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert split(*chunks) == split(b"".join(line + b"\n" for line in lines))


@pytest.mark.parametrize(
    "raw",
    [
        b"data: " + b"x" * 95 + b"\n\n",
        b"data: " + b"x" * 60 + b"\ndata: " + b"x" * 60 + b"\n\n",
        b": " + b"x" * 120 + b"\n\n",
        b"x" * 101,
        b"event: error\n" * 9,
    ],
)
def test_one_event_over_the_bound_is_an_interruption_however_it_is_cut(raw: bytes) -> None:
    raw = b"".join(b"data: %d\n\n" % at for at in range(5)) + raw
    for size in (1, 7, 1000):
        payloads: list[bytes] = []
        with pytest.raises(StreamInterrupted, match="more than 100 bytes"):
            payloads.extend(pieces(EventSplitter(100), raw, size))
        assert payloads == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b'event: error\ndata: {"message": "no"}', {"message": "no"}),
        (b'data: {"message": "no"}\nevent:error', {"message": "no"}),
        (b'event: error\ndata: {"type": "overloaded_error", "message": "no"}', {"type": "overloaded_error", "message": "no"}),
        (b'event: error\ndata: {"detail": "no"}', {"message": "no", "detail": "no"}),
        (b'event: error\ndata: {"error": {"message": "no", "code": 429}}', {"message": "no", "code": 429}),
        (b'event: error\ndata: {"error": "no"}', "no"),
        (b"event: error\ndata: upstream\ndata: gone", {"message": "upstream\ngone"}),
        (b"event: error\ndata: " + b"[" * 9, {"message": "[" * 9}),
        (b'error: {"code": 500, "message": "no"}', {"code": 500, "message": "no"}),
        (b"error: no", {"message": "no"}),
    ],
)
def test_an_event_that_is_named_error_is_put_as_the_wires_put_it(raw: bytes, told: object) -> None:
    for sent in ([raw + b"\n\n"], [(raw + b"\n\n")[i : i + 1] for i in range(len(raw) + 2)]):
        (payload,) = split(*sent)
        event = json.loads(payload)
        assert event["type"] == "error"
        error = event["error"]
        assert (error if isinstance(error, str) else {key: value for key, value in error.items() if value is not None}) == told


def pieces(splitter: EventSplitter, raw: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(raw), size):
        yield from splitter.feed(raw[at : at + size])


def test_many_events_below_the_bound_never_reach_it() -> None:
    raw = b"".join(b"data: %d\n: comment\n\n" % i for i in range(500))
    assert len(split(*(raw[i : i + 3] for i in range(0, len(raw), 3)), max_bytes=20)) == 500


def test_a_long_event_in_tiny_pieces_is_linear_work() -> None:
    splitter = EventSplitter(4_000_000)
    pieces = [b"data: ", *([b"x"] * 300_000), b"\n\n"]
    assert [len(payload) for piece in pieces for payload in splitter.feed(piece)] == [300_000]
