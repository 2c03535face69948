"""Bytes of the event stream."""

from __future__ import annotations

from agent.stream import PING, RunEvent, format_event


def test_formats_id_type_and_data() -> None:
    event = RunEvent.of(7, "text.delta", {"text": "Zoë\n\n"})
    assert format_event(event) == 'id: 7\nevent: text.delta\ndata: {"text":"Zoë\\n\\n"}\n\n'.encode()


def test_a_ping_is_a_comment_without_id() -> None:
    assert PING == b": ping\n\n"
