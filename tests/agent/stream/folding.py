"""What the tests of writer and reader have in common: a run's deltas folded to text, and a follower collected."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

from agent.stream import RunEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

Emitted = tuple[str, dict[str, Any]]


def fold(events: Iterable[Emitted]) -> list[Emitted]:
    """Events with neighbouring deltas of one type joined: the same for what was emitted and for what was stored."""
    folded: list[Emitted] = []
    for type, group in groupby(events, key=lambda event: event[0]):
        if type.endswith(".delta"):
            folded.append((type, {"text": "".join(data["text"] for _, data in group)}))
        else:
            folded.extend(group)
    return folded


def emitted(events: Iterable[RunEvent]) -> list[Emitted]:
    return [(event.type, json.loads(event.data)) for event in events]


async def collect(stream: AsyncIterator[Any]) -> list[RunEvent]:
    return [item async for item in stream if isinstance(item, RunEvent)]


def seqs(events: Iterable[RunEvent]) -> list[int]:
    return [event.seq for event in events]
