"""The log for threads without an event loop: the end of a run that was cancelled in the queue, and whether a log still holds what is asked.

A fence names one writer; whoever claims a run raises it. `take` first, then number the events from what it returns (or from the run
row's high-water mark, where that is higher: then Valkey has lost entries, and `over_loss` says that this is known).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from redis.exceptions import NoScriptError

from agent.stream import script
from agent.stream.log import MAX_EVENTS, RUNNING_TTL_MS, LogConflict, LogStale, RunEvent, fence_key, stream_key, ttl_ms
from agent.stream.resp import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis


def append(client: Redis, run_id: str, fence: int, events: Sequence[RunEvent], *, over_loss: bool = False) -> int:
    """Append events with consecutive seqs; returns the last seq stored. Raises LogStale, or LogConflict with nothing written.

    The very same batch again is no conflict: redis-py sends a command twice when the first reply is lost.
    """
    if not events:
        return last_seq(client, run_id)
    reply = _run(client, run_id, [fence, events[0].seq, int(over_loss), MAX_EVENTS, ttl_ms(events[-1].type)], events)
    if reply == script.STALE:
        raise LogStale(run_id)
    stored = script.refused_at(reply)
    if stored is None:
        return reply
    if stored == events[-1].seq and _entries(client, run_id, events[0].seq, stored) == list(events):
        return stored
    raise LogConflict(stored)


def take(client: Redis, run_id: str, fence: int) -> int:
    """Make `fence` the log's writer; returns the last seq stored, 0 for an empty log. Raises LogStale when a higher fence holds it."""
    reply = _run(client, run_id, [fence, 0, 0, MAX_EVENTS, RUNNING_TTL_MS], ())
    if reply == script.STALE:
        raise LogStale(run_id)
    return reply


def expired(client: Redis, run_id: str, after: int, *, over: bool) -> bool:
    """Whether `reader.follow` would raise LogExpired before its first event: what a view asks while it can still answer 410.

    over: whether the database calls the run over; the log of a run that is not may still have to begin. Raises one of pipe.AWAY.
    """
    following = cast("list[tuple[Any, Any]]", client.xrange(stream_key(run_id), f"{after + 1}-0", count=1))
    if following:
        return _seq(following[0]) != after + 1
    return over and not last_seq(client, run_id)


def forget(client: Redis, run_id: str) -> None:
    """Take the log of a run away, as if it had expired. Raises one of pipe.AWAY."""
    client.unlink(stream_key(run_id), fence_key(run_id))


def last_seq(client: Redis, run_id: str) -> int:
    """The last seq stored, 0 for an empty or expired log."""
    newest = cast("list[tuple[Any, Any]]", client.xrevrange(stream_key(run_id), count=1))
    return _seq(newest[0]) if newest else 0


def _seq(entry: tuple[Any, Any]) -> int:
    return int(text(entry[0]).partition("-")[0])


def _run(client: Redis, run_id: str, arguments: list[int], events: Sequence[RunEvent]) -> int:
    values: list[str | int] = [stream_key(run_id), fence_key(run_id), *arguments]
    for event in events:
        values += (event.type, event.data)
    try:
        return cast("int", client.evalsha(script.SHA, 2, *values))
    except NoScriptError:
        return cast("int", client.eval(script.SOURCE, 2, *values))


def _entries(client: Redis, run_id: str, first: int, last: int) -> list[RunEvent]:
    found = cast("list[tuple[Any, dict[Any, Any]]]", client.xrange(stream_key(run_id), f"{first}-0", f"{last}-0"))
    return [RunEvent(int(text(id).partition("-")[0]), *(text(value) for value in fields.values())) for id, fields in found]
