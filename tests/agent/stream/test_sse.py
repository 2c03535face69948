"""Bytes of the event stream."""

from __future__ import annotations

import json

from agent.stream import PING, RunEvent, format_event


def test_formats_id_type_and_data() -> None:
    event = RunEvent.of(7, "text.delta", {"text": "Zoë\n\n"})
    assert format_event(event) == 'id: 7\nevent: text.delta\ndata: {"text":"Zoë\\n\\n"}\n\n'.encode()


def test_a_line_ends_where_the_event_says_whatever_the_reader_takes_for_a_line_end() -> None:
    text = "one\u2028two\u2029three\u0085four"
    lines = format_event(RunEvent.of(7, "text.delta", {"text": text})).decode().splitlines()
    assert lines[:2] == ["id: 7", "event: text.delta"]
    assert json.loads(lines[2].removeprefix("data: ")) == {"text": text}


def test_a_ping_is_a_comment_without_id() -> None:
    assert PING == b": ping\n\n"
