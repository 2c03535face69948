"""A deadline that moves with every chunk. `asyncio.timeout` makes and cancels a timer each time; this one keeps a single timer and lets it
find out, when it rings, that there is more time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


class Patience:
    """For one stream and the task that reads it. Close it at the end."""

    __slots__ = ("_due", "_expired", "_loop", "_task", "_timer")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due: float | None = None
        self._expired = False

    async def wait(self, work: Awaitable[T], seconds: float) -> T:
        """The result of `work`, or TimeoutError after `seconds`."""
        self._due = self._loop.time() + seconds
        self._task = asyncio.current_task()
        if self._timer is None or self._timer.when() > self._due:
            self._wind(self._due)
        try:
            return await work
        except asyncio.CancelledError:
            if self._expired and self._task is not None and self._task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._due, self._expired = None, False

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._due is None or self._task is None:
            return  # nobody waits; the next wait winds it again
        if self._loop.time() < self._due:
            self._wind(self._due)
        else:
            self._expired = True
            self._task.cancel()
