"""Run events as server-sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agent.stream.log import RunEvent

PING: Final = b": ping\n\n"
"""A comment: keeps proxies from closing a silent stream. It carries no id."""


def format_event(event: RunEvent) -> bytes:
    """data is JSON text on one line, as the writers make it."""
    return f"id: {event.seq}\nevent: {event.type}\ndata: {event.data}\n\n".encode()
