"""Reads a run's log: replays what is stored after a seq, then follows it to its terminal event. Cuts nothing, repeats nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from agent.stream.entries import events_of, read_streams, stored
from agent.stream.log import TERMINAL, LogExpired, RunEvent, stream_key
from agent.stream.pipe import AWAY

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from redis.asyncio import Redis

PAGE: Final = 500
GRACE: Final = 2.0
"""Seconds that the terminal event of a run that the database calls over may still take to arrive."""
RETRY: Final = 0.5


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing has happened for a while; the log is still followed."""


class Source(Protocol):
    """Where a follower waits: a connection of its own (`Direct`), or a `Seat` at the process's `Tail`."""

    async def read(self, after: int, wait: float) -> list[RunEvent]:
        """What follows `after`, or [] after `wait` seconds of silence. Raises one of pipe.AWAY."""
        ...

    async def newest(self) -> RunEvent | None:
        """The last event stored. Raises one of pipe.AWAY."""
        ...


class Direct:
    """Blocks on one connection of the client's pool (redis-py allows 100) for each follower. For many followers take a `Tail`."""

    def __init__(self, client: Redis, run_id: str) -> None:
        self._client, self._run_id, self._key = client, run_id, stream_key(run_id).encode()

    async def read(self, after: int, wait: float) -> list[RunEvent]:
        found = await read_streams(self._client, {self._key: b"%d-0" % after}, count=PAGE, wait=wait)
        return events_of(found.get(self._key, []))

    async def newest(self) -> RunEvent | None:
        return next(iter(await stored(self._client, self._run_id, newest=True)), None)


async def follow(
    client: Redis,
    run_id: str,
    after: int,
    *,
    heartbeat: float = 15.0,
    over: bool = False,
    is_over: Callable[[], Awaitable[bool]] | None = None,
    source: Source | None = None,
) -> AsyncGenerator[RunEvent | Heartbeat, None]:
    """The events after `after` as they come, to the terminal one; a Heartbeat after each `heartbeat` seconds of silence.

    over: whether the database calls the run over; is_over asks it again after each silence. A log that is not there is waited for unless
    the run is over. While Valkey is away there are heartbeats only.
    Raises LogExpired when the next event is no longer kept, or will never come.
    """
    source = source or Direct(client, run_id)
    quiet = over  # of a run that goes on there is something left to come
    while True:
        try:
            if quiet:
                over = over or (is_over is not None and await is_over())
                if await _is_done(source, run_id, after, over=over):
                    return
            events = await source.read(after, min(heartbeat, GRACE) if over else heartbeat)
        except AWAY:
            yield Heartbeat()
            await asyncio.sleep(min(heartbeat, RETRY))
            continue
        quiet = not events
        if quiet and over:
            raise LogExpired(run_id)
        if quiet:
            yield Heartbeat()
        for event in events:
            if event.seq != after + 1:
                raise LogExpired(run_id)
            after = event.seq
            yield event
            if event.type in TERMINAL:
                return


async def _is_done(source: Source, run_id: str, after: int, *, over: bool) -> bool:
    """Whether the reader has seen the terminal event already."""
    newest = await source.newest()
    if newest is None and over:
        raise LogExpired(run_id)
    return newest is not None and newest.type in TERMINAL and newest.seq <= after
