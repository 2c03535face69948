"""Run events as tests read them: from the log itself, or out of a stream of server-sent events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.conf import settings
from redis import Redis

from agent.stream.log import stream_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from tests.agent.fold import Event


def log_of(run_id: UUID | str) -> list[Event]:
    with Redis.from_url(settings.REDIS_URL) as client:
        entries: Any = client.xrange(stream_key(str(run_id)))
    return [(int(id.partition(b"-")[0]), fields[b"t"].decode(), json.loads(fields[b"d"])) for id, fields in entries]


def parse_sse(chunks: Iterable[bytes]) -> list[Event]:
    """Whole events only; comments are skipped."""
    events: list[Event] = []
    for frame in b"".join(chunks).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in frame.splitlines() if line and not line.startswith(":"))
        if "id" in fields and "data" in fields:
            events.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return events


def is_gapless(events: list[Event], after: int = 0) -> bool:
    return [seq for seq, _, _ in events] == list(range(after + 1, after + 1 + len(events)))
