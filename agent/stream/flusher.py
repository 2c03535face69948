"""The one flusher of a worker process: takes events of all its runs from the event loop and appends them to Valkey in batches.

Emitting never waits. The first delta of a text goes out with the loop's next turn, the ones after it at most every TICK, all runs of the
process in one round trip. When Valkey is away, events wait in memory and are tried again until it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import NoScriptError, ResponseError

from agent.stream import script
from agent.stream.log import MAX_EVENTS, RUNNING_TTL_MS, LogStale, fence_key, stream_key
from agent.stream.pending import Pending
from agent.stream.pipe import AWAY, round_trip
from agent.stream.resp import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from redis.asyncio import Redis

logger = logging.getLogger(__name__)

TICK: Final = 0.05
RETRY_FIRST: Final = 0.05
RETRY_CAP: Final = 2.0


class RunLog:
    """The log of one run, as its worker writes it. Belongs to the loop of its flusher; not thread-safe.

    on_stale: called once, on the loop, when a writer with a higher fence has taken the run over; what is emitted from then on is dropped.
    """

    __slots__ = ("_flush", "_pending", "_waiters", "on_stale", "run_id")

    def __init__(self, run_id: str, pending: Pending, flush: Callable[[RunLog, bool], None]) -> None:
        self.run_id = run_id
        self.on_stale: Callable[[], None] | None = None
        self._pending = pending
        self._flush = flush
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def seq(self) -> int:
        """The last seq handed out."""
        return self._pending.seq

    @property
    def stale(self) -> bool:
        return self._pending.lost

    def emit(self, type: str, data: Mapping[str, Any]) -> int:
        """Queue one event and return its seq. Consecutive deltas (`{"text": …}`) share one until they are sent.

        Raises ValueError, TypeError or KeyError for data that JSON cannot carry; nothing is queued then.
        """
        pending = self._pending
        if not pending.lost:
            self._flush(self, pending.add(type, data))
        return pending.seq

    async def flush(self) -> None:
        """Wait until everything emitted so far is in Valkey, however long that is away. Raises LogStale when it never will be."""
        if self._pending.stored < self._pending.seq and not self.stale:
            durable = asyncio.get_running_loop().create_future()
            self._waiters.append((self._pending.seq, durable))
            self._flush(self, True)
            await durable
        if self.stale:
            raise LogStale(self.run_id)

    async def close(self) -> None:
        """Flush for the last time; a stale log has nothing left to flush."""
        with contextlib.suppress(LogStale):
            await self.flush()

    def _settled(self, reply: int) -> None:
        pending = self._pending
        pending.settle(reply)
        if pending.lost and self.on_stale is not None:
            asyncio.get_running_loop().call_soon(self.on_stale)
        while self._waiters and (pending.lost or self._waiters[0][0] <= pending.stored):
            _, durable = self._waiters.pop(0)
            if not durable.done():
                durable.set_result(None)
        if pending.sealed or pending.growing:
            self._flush(self, pending.sealed or bool(self._waiters))


class Flusher:
    """client: of the loop this flusher runs on; one connection of its pool is used at a time. Close it with `aclose`."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._due: set[RunLog] = set()
        self._next_tick: set[RunLog] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def take(self, run_id: str, fence: int) -> int:
        """`writer.take` on the loop: lower fences are refused from here on; returns the last seq stored. Raises LogStale or one of AWAY."""
        command = ("EVAL", script.SOURCE, 2, stream_key(run_id), fence_key(run_id), fence, 0, 0, MAX_EVENTS, RUNNING_TTL_MS)
        (reply,) = await round_trip(self._client, [pack(*command)])
        if isinstance(reply, ResponseError):
            raise reply
        if reply == script.STALE:
            raise LogStale(run_id)
        return int(reply)

    def open(self, run_id: str, fence: int, last_seq: int) -> RunLog:
        """A log that goes on after last_seq: the higher of what `take` returned and the run row's high-water mark. On the loop only."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="run-log-flusher")
        return RunLog(run_id, Pending(run_id, fence, last_seq), self._flush)

    async def aclose(self) -> None:
        """Stop. What has not been flushed is dropped: close the logs first."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def _flush(self, log: RunLog, at_once: bool) -> None:
        if at_once:
            self._due.add(log)
            self._wake.set()
        else:
            self._next_tick.add(log)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._due |= self._next_tick
        self._next_tick.clear()
        self._wake.set()

    async def _run(self) -> None:
        pause = RETRY_FIRST
        while True:
            await self._wake.wait()
            self._wake.clear()
            logs, self._due = self._due, set()
            self._next_tick -= logs
            try:
                await self._send(logs)
            except AWAY as error:
                logger.warning("Run logs: %d wait for Valkey: %s", len(logs), error)
            except Exception:
                logger.exception("Run logs: a flush failed")  # a bug must not end the logs of every run of the process
            else:
                pause = RETRY_FIRST
                continue
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (spreads the workers' retries)
            pause = min(2 * pause, RETRY_CAP)
            self._due |= logs
            self._wake.set()

    async def _send(self, logs: Iterable[RunLog]) -> None:
        batch = [(log, command) for log in logs if (command := log._pending.cut()) is not None]
        if not batch:
            return
        try:
            replies = await round_trip(self._client, [command for _, command in batch])
        except Exception:
            for log, _ in batch:
                log._pending.doubt()
            raise
        refused: object = None
        for (log, _), reply in zip(batch, replies, strict=True):
            if isinstance(reply, ResponseError):
                log._pending.doubt()
                refused = reply
            else:
                log._settled(reply)
        if isinstance(refused, NoScriptError):
            for log, _ in batch:
                self._flush(log, True)
            (refused,) = await round_trip(self._client, [pack("SCRIPT", "LOAD", script.SOURCE)])
        if isinstance(refused, ResponseError):
            raise refused
