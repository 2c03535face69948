"""One connection for all followers of a process: blocks on every followed run at once and hands each event to the run's seats.

A seat that falls behind, or has just come, reads what it lacks from the log itself, so nothing here has to be complete: the tail may lose
its connection, a seat its backlog. The runs of one blocking read live on different nodes of a cluster: there, follow with `Direct`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from agent.stream.entries import events_of, read_streams, stored
from agent.stream.log import RunEvent, stream_key
from agent.stream.pipe import AWAY, round_trip
from agent.stream.resp import pack

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger(__name__)

BACKLOG: Final = 1000
"""Events a seat holds; a slower follower goes back to the log."""
PAGE: Final = 500
ASKING: Final = 16
BLOCK: Final = 5.0
RETRY: Final = 0.5


class Seat:
    """One follower's place; a `reader.Source`. Leave it with `close`."""

    def __init__(self, tail: Tail, run_id: str) -> None:
        self.key = stream_key(run_id).encode()
        self._tail, self._run_id = tail, run_id
        self._events: list[RunEvent] = []
        self._arrived = asyncio.Event()
        self._behind, self._joined = True, False

    async def read(self, after: int, wait: float) -> list[RunEvent]:
        while True:
            if self._behind and (found := await self._catch_up(after)):
                return found
            if not self._events and not await self._woken(wait):
                return []
            fresh = [event for event in self._events if event.seq > after]
            self._events.clear()
            if fresh and fresh[0].seq == after + 1:
                return fresh
            self._behind = self._behind or bool(fresh)

    async def newest(self) -> RunEvent | None:
        return next(iter(await self._tail.ask(self._run_id, newest=True)), None)

    def push(self, events: list[RunEvent]) -> None:
        if len(self._events) + len(events) > BACKLOG:
            self._events.clear()
            self._behind = True
        else:
            self._events += events
        self._arrived.set()

    def close(self) -> None:
        self._tail.leave(self)

    async def _catch_up(self, after: int) -> list[RunEvent]:
        """A page of what the log holds after `after`; [] once nothing is left that the tail will not bring."""
        while self._behind:
            self._behind = False  # before asking: what overflows from here on must be asked for again
            found: list[RunEvent] | None = None
            try:
                found = await self._tail.ask(self._run_id, start=after + 1, count=PAGE)
            finally:
                self._behind = self._behind or found is None or len(found) == PAGE
            if not self._behind and not self._joined:
                self._joined = True
                is_complete = await self._tail.join(self, found[-1].seq if found else after)
                self._behind = self._behind or not is_complete  # the backlog may have overflowed meanwhile
            if found:
                return found
        return []

    async def _woken(self, wait: float) -> bool:
        self._arrived.clear()
        try:
            async with asyncio.timeout(wait):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True


class Tail:
    """client: of the loop the tail runs on. Close it with `aclose`."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self._asking = asyncio.Semaphore(ASKING)
        self._seats: dict[bytes, list[Seat]] = {}
        self._bell = f"routekit:tail:{uuid4().hex}".encode()  # an entry ends the blocking read; the next one follows a new run too
        self._positions = {self._bell: b"0-0"}
        self._task: asyncio.Task[None] | None = None

    def seat(self, run_id: str) -> Seat:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="run-log-tail")
        return Seat(self, run_id)

    async def ask(self, run_id: str, *, start: int = 0, newest: bool = False, count: int = 1) -> list[RunEvent]:
        """`entries.stored`, for few seats at a time: all of a process's viewers may come back at once."""
        async with self._asking:
            return await stored(self.client, run_id, start=start, newest=newest, count=count)

    async def join(self, seat: Seat, after: int) -> bool:
        """Bring the seat what comes; False when it may lack something between `after` and what comes."""
        self._seats.setdefault(seat.key, []).append(seat)
        position = self._positions.get(seat.key)
        if position is not None:
            return int(position.partition(b"-")[0]) <= after
        self._positions[seat.key] = b"%d-0" % after
        with contextlib.suppress(*AWAY):  # then the read in progress ends at BLOCK at the latest
            async with self._asking:
                await round_trip(self.client, [pack("XADD", self._bell, "MAXLEN", 1, "*", "join", 1), pack("PEXPIRE", self._bell, 60_000)])
        return True

    def leave(self, seat: Seat) -> None:
        seats = self._seats.get(seat.key, [])
        if seat in seats:
            seats.remove(seat)
        if not seats:
            self._seats.pop(seat.key, None)
            self._positions.pop(seat.key, None)

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        while True:
            try:
                found = await read_streams(self.client, dict(self._positions), count=PAGE, wait=BLOCK)
            except AWAY as error:
                logger.warning("Run log tail: %d runs wait for Valkey: %s", len(self._seats), error)
                await asyncio.sleep(RETRY)
                continue
            for key, entries in found.items():
                if key in self._positions:
                    self._positions[key] = entries[-1][0]
                if seats := self._seats.get(key):
                    events = events_of(entries)
                    for seat in seats:
                        seat.push(events)
