"""Run events as server-sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agent.stream.log import RunEvent

PING: Final = b": ping\n\n"
"""A comment: keeps proxies from closing a silent stream. It carries no id."""
_LINE_ENDS: Final = {ord(char): f"\\u{ord(char):04x}" for char in "\u0085\u2028\u2029"}


def format_event(event: RunEvent) -> bytes:
    """data is JSON text on one line, as the writers make it; also for readers that split lines by Unicode's rules, as httpx does."""
    data = event.data if event.data.isascii() else event.data.translate(_LINE_ENDS)
    return f"id: {event.seq}\nevent: {event.type}\ndata: {data}\n\n".encode()
