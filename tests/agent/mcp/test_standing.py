"""agent.mcp.standing"""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.mcp.standing import LONGEST_LINE, StandingStream

LONG = "x" * (3 * LONGEST_LINE)


def fed(data: bytes, size: int = 65_536) -> bytes:
    stream = StandingStream()
    return b"".join(stream.feed(data[start : start + size]) for start in range(0, len(data), size))


def event(message: dict[str, Any]) -> bytes:
    return b"event: message\r\ndata: " + json.dumps(message).encode() + b"\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_what_is_short_passes_as_it_came(size: int) -> None:
    data = b": ping\n\n" + event({"jsonrpc": "2.0", "id": 1, "result": {"a": "ä" * 500}}) + b"event: endpoint\ndata: /messages\n\n"
    assert fed(data, size) == data


@pytest.mark.parametrize("size", [65_536, 10 * LONGEST_LINE])
@pytest.mark.parametrize("answer", [
    {"jsonrpc": "2.0", "id": 7, "result": {"content": [{"id": 3, "text": LONG}]}},
    {"result": {"content": [{"id": 3, "text": LONG}]}, "jsonrpc": "2.0", "id": 7},
], ids=["id first", "id last"])  # fmt: skip
def test_a_long_answer_becomes_an_error_of_its_own(answer: dict[str, Any], size: int) -> None:
    after = event({"jsonrpc": "2.0", "id": 8, "result": {}})
    told = fed(event(answer) + after, size)
    assert told.endswith(after)
    line = told.split(b"\n")[1]
    message = json.loads(line.removeprefix(b"data: "))
    assert (message["id"], message["error"]["message"]) == (7, "its answer is longer than 1,000,000 bytes")


def test_a_long_line_of_nobody_is_left_out() -> None:
    after = event({"jsonrpc": "2.0", "id": 8, "result": {}})
    assert fed(event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": LONG}}) + after).endswith(b"\n" + after)


def test_a_line_without_an_end_is_not_kept() -> None:
    stream = StandingStream()
    for _ in range(50):
        assert stream.feed(b"x" * 100_000) == b""
    assert len(stream._line) <= LONGEST_LINE + 100_000
