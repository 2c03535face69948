"""What a worker does between heartbeats: writes how configs were used, and lets go of clients and sessions that nobody may use any more."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from agent.services.endpoints import stale_endpoints
from agent.services.units import reading
from llmconfig.services import USES, stale_clients

if TYPE_CHECKING:
    from agent.worker.runtime import Runtime

logger = logging.getLogger(__name__)
EVERY_S: Final = 20.0
"""So long the client of a rotated, disabled, deleted or un-shared config may stay open, idle, and a heartbeat more."""


class House:
    """On the heartbeat's thread. Nothing here may stop the heart."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._swept = runtime, time.monotonic()

    def keep(self) -> None:
        try:
            self._write_uses()
            if time.monotonic() - self._swept >= EVERY_S:
                self._swept = time.monotonic()
                self.sweep()
        except Exception:
            logger.exception("Uses of configs could not be written, or clients not be compared; the next time they may")

    def sweep(self) -> None:
        """One query for the clients, one for the sessions; none where there are none."""
        clients, services = self._runtime.clients, self._runtime.services
        with reading():
            versions = stale_clients(clients.held) if clients.held else set()
            keys = stale_endpoints(services.held) if services.held else set()
        if versions:
            self._runtime.loop.call_soon_threadsafe(clients.evict, versions)
        if keys:
            self._runtime.loop.call_soon_threadsafe(services.evict, keys)

    def leave(self) -> None:
        """The process ends."""
        try:
            self._write_uses(at_once=True)
        except Exception:
            logger.exception("The last uses of configs could not be written")

    def _write_uses(self, *, at_once: bool = False) -> None:
        if USES.are_due(at_once=at_once):
            with reading():
                USES.write(at_once=at_once)
