"""What a worker process has once: its event loop, event log, model clients and service sessions; and who is running on it."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID

import uvloop
from django.conf import settings

from agent.loop.ports import Stop
from agent.mcp.pool import ServicePool
from agent.services.claims import WORKER, Claim, heartbeat
from agent.services.endpoints import egress
from agent.stream import AWAY, Flusher, async_client, listen
from agent.worker.house import House
from llmconfig.services import ClientPool

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from redis.asyncio import Redis

logger = logging.getLogger(__name__)
T = TypeVar("T")
_LET_GO_S = 15.0
_CLOSE_S = 5.0


class Active:
    """One run on the loop: its claim, its task, and why it is being stopped."""

    __slots__ = ("claim", "stop", "task")

    def __init__(self, claim: Claim, task: asyncio.Task[None]) -> None:
        self.claim, self.task, self.stop = claim, task, Stop()

    def halt(self, reason: Any, detail: str = "") -> None:
        """On the loop. The first reason stands."""
        if not self.stop.reason:
            self.stop.reason, self.stop.detail = reason, detail
            self.task.cancel()


class Runtime:
    """Started once a process by `get()`; the loop runs in a daemon thread. Attributes belong to the loop unless said otherwise."""

    _instance: Runtime | None = None
    _making = threading.Condition()

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self.active: dict[UUID, Active] = {}
        self.is_stopping = False
        self._inside = 0
        self._thread = threading.Thread(target=self._run_loop, name="routekit-loop", daemon=True)
        self._heart = threading.Thread(target=self._beat, name="routekit-heartbeat", daemon=True)
        self._halt = threading.Event()
        self._house = House(self)
        self._background: list[asyncio.Task[None]] = []
        self.redis: Redis
        self.flusher: Flusher
        self.clients: ClientPool
        self.services: ServicePool

    @classmethod
    def get(cls) -> Self:
        """The process's runtime, started on first use. From any thread."""
        with cls._making:
            if cls._instance is None:
                runtime = cls()
                runtime._thread.start()
                runtime.call(runtime._open)
                runtime._heart.start()
                cls._instance = runtime
            return cls._instance  # type: ignore[return-value]

    @classmethod
    @contextmanager
    def entered(cls) -> Iterator[Self]:
        """The process's runtime, whose loop does not end before this thread has left it."""
        with cls._making:
            runtime = cls.get()
            runtime._inside += 1
        try:
            yield runtime
        finally:
            with cls._making:
                runtime._inside -= 1
                cls._making.notify_all()

    @classmethod
    def stop_if_started(cls, reason: str) -> None:
        with cls._making:
            runtime, cls._instance = cls._instance, None
        if runtime is not None:
            runtime._stop(reason)

    def call(self, make: Callable[[], Coroutine[Any, Any, T]], timeout: float | None = 30.0) -> T:
        """Run a coroutine on the loop and wait for its result. From any thread but the loop's."""
        return asyncio.run_coroutine_threadsafe(make(), self.loop).result(timeout)

    def cancel(self, run_id: UUID, reason: str = "user", detail: str = "") -> None:
        """Stop a run if it runs here. From any thread."""
        self.loop.call_soon_threadsafe(self._cancel, run_id, reason, detail)

    def _cancel(self, run_id: UUID, reason: str, detail: str = "") -> None:
        if (running := self.active.get(run_id)) is not None:
            running.halt(reason, detail)

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _open(self) -> None:
        self.redis = async_client(settings.REDIS_URL)
        self.flusher = Flusher(self.redis)
        self.clients = ClientPool()
        self.services = ServicePool(egress())
        with suppress(*AWAY):
            async with asyncio.timeout(_CLOSE_S):
                await self.redis.ping()  # a connection for the task below, which may be cancelled while it waits but not while it connects
        self._background.append(self.loop.create_task(self._hear_cancels(), name="cancels"))

    async def _hear_cancels(self) -> None:
        async for run_id in listen(self.redis):
            self._cancel(UUID(run_id), "user")

    def _beat(self) -> None:
        """Heartbeats all runs of the process with one UPDATE, and says in Valkey that a worker is there."""
        from redis import Redis as SyncRedis  # noqa: PLC0415  # of this thread alone

        with SyncRedis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
            while not self._halt.wait(settings.HEARTBEAT_S if self.active else min(settings.HEARTBEAT_S, 2.0)):
                try:
                    client.set(f"routekit:worker:{WORKER}", "1", ex=15)
                except Exception as error:  # noqa: BLE001  # whatever Valkey's absence raises; the next beat tries again
                    logger.warning("Heartbeat: Valkey does not answer (%s)", error)
                claims = [running.claim for running in list(self.active.values())]
                if claims:
                    self._beat_leases(claims)
                self._house.keep()

    def _beat_leases(self, claims: list[Claim]) -> None:
        try:
            for run_id, stopped in heartbeat(claims).items():
                self.cancel(run_id, stopped.reason, stopped.detail)
        except Exception:
            logger.exception("Heartbeat: the leases could not be prolonged")

    def _stop(self, reason: str) -> None:
        """Give the runs back, then end the loop. Within a few seconds, whatever the network does."""
        self.is_stopping = True
        self._halt.set()
        self.loop.call_soon_threadsafe(self._halt_all, reason)
        with self._making:
            if not self._making.wait_for(lambda: not self._inside, timeout=_LET_GO_S):
                logger.warning("Shutdown: some runs did not let go in time; their leases will lapse.")
        with suppress(TimeoutError):
            self.call(self._close, timeout=_CLOSE_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        for thread in (self._thread, self._heart):
            thread.join(timeout=_CLOSE_S)
        self._house.leave()
        # The loop is left open for the process to end with: uvloop's close() can wait for ever for a connection that was being made.

    def _halt_all(self, reason: str) -> None:
        """Runs that only begin now are halted as they do: `is_stopping` is set."""
        for running in list(self.active.values()):
            running.halt(reason)

    async def _close(self) -> None:
        for task in self._background:
            while not task.done():  # redis-py takes a cancel for a timeout while it connects
                task.cancel()
                await asyncio.wait([task], timeout=0.1)
        await self.flusher.aclose()
        await self.services.aclose()
        await self.clients.aclose()
        await self.redis.aclose()
