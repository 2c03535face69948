"""Splitting lines of JSON from bytes that are cut anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmconfig.llm import StreamInterrupted
from llmconfig.wire.ndjson import LineSplitter

if TYPE_CHECKING:
    from collections.abc import Iterator


def split(*chunks: bytes, max_bytes: int = 1000) -> list[bytes]:
    splitter = LineSplitter(max_bytes)
    return [line for chunk in chunks for line in splitter.feed(chunk)]


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (b'{"a":1}\n', [b'{"a":1}']),
        (b"{}\n[]\n", [b"{}", b"[]"]),
        (b"{}\r\n[]\r\n", [b"{}", b"[]"]),
        (b"{}\r[]\r", [b"{}", b"[]"]),
        (b"\n\n \t\n{}\n\n", [b"{}"]),
        (b"\xef\xbb\xbf{}\n\xef\xbb\xbf[]\n", [b"{}", b"\xef\xbb\xbf[]"]),
        (b'"gr\xc3\xbc\xc3\x9fe \xe2\x80\xa8"\n', ['"grüße \u2028"'.encode()]),
        (b"{}\nunended", [b"{}"]),
    ],
)
def test_lines_however_they_are_cut(raw: bytes, lines: list[bytes]) -> None:
    assert split(raw) == lines
    assert split(*(raw[i : i + 1] for i in range(len(raw)))) == lines
    for cut in range(len(raw) + 1):
        assert split(raw[:cut], b"", raw[cut:]) == lines


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"{}", b'{"a": "\xc3\xbc"}', b"", b" ", b"x"])), st.data())
def test_line_ends_and_chunks_make_no_difference(lines: list[bytes], data: st.DataObject) -> None:
    ends = data.draw(st.lists(st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=len(lines), max_size=len(lines)))
    raw = b"".join(line + end for line, end in zip(lines, ends, strict=True))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert split(*chunks) == [line for line in lines if line.strip()]


@pytest.mark.parametrize("raw", [b"x" * 101, b"x" * 101 + b"\n", b" " * 101 + b"\n"])
def test_one_line_over_the_bound_is_an_interruption_however_it_is_cut(raw: bytes) -> None:
    raw = b"".join(b"%d\n" % at for at in range(5)) + raw
    for size in (1, 7, 1000):
        lines: list[bytes] = []
        with pytest.raises(StreamInterrupted, match="more than 100 bytes"):
            lines.extend(pieces(LineSplitter(100), raw, size))
        assert lines == [b"0", b"1", b"2", b"3", b"4"]


def pieces(splitter: LineSplitter, raw: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(raw), size):
        yield from splitter.feed(raw[at : at + size])


def test_many_lines_below_the_bound_never_reach_it() -> None:
    raw = b"".join(b"%d\n" % i for i in range(500))
    assert len(split(*(raw[i : i + 3] for i in range(0, len(raw), 3)), max_bytes=10)) == 500


def test_a_long_line_in_tiny_pieces_is_linear_work() -> None:
    splitter = LineSplitter(4_000_000)
    pieces = [*([b"x"] * 300_000), b"\n"]
    assert [len(line) for piece in pieces for line in splitter.feed(piece)] == [300_000]
