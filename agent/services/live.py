"""Valkey as web processes see it: is it there, stop a run, follow a run."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from django.conf import settings
from redis.exceptions import RedisError

from agent.stream import (
    AWAY,
    PING,
    Heartbeat,
    LogError,
    LogExpired,
    RunEvent,
    Tail,
    append,
    async_client,
    client,
    expired,
    follow,
    forget,
    format_event,
    publish_cancel,
    take,
)
from llmconfig.tenancy.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection
    from uuid import UUID

    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

logger = logging.getLogger(__name__)
PING_S = 15.0
_AWAY = "The queue (Valkey) does not answer. Messages already accepted are kept and go on when it is back."
_answered_at = float("-inf")
_tails: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[AsyncRedis, Tail]] = WeakKeyDictionary()


@cache
def valkey() -> Redis:
    """This process's client for short commands: it gives up after 2 s."""
    return client(settings.REDIS_URL)


def require_valkey() -> None:
    """Raises Unavailable (503) when Valkey does not answer. Asked at most once a second: a burst of messages is one question."""
    global _answered_at
    now = time.monotonic()
    if now - _answered_at < 1.0:
        return
    try:
        valkey().ping()
    except (RedisError, OSError):
        raise Unavailable(_AWAY, retry_after=5) from None
    _answered_at = now


def tell_worker(run_id: UUID) -> None:
    try:
        publish_cancel(valkey(), str(run_id))
    except (RedisError, OSError) as error:
        logger.warning("Run %s: the cancel could not be published (%s); the worker's heartbeat will find it.", run_id, error)


def log_cancelled(run_id: UUID, fence: int, known: int) -> None:
    """Close the log of a run that no worker holds. Without Valkey the log stays open and readers learn it from the row."""
    try:
        stored = take(valkey(), str(run_id), fence)
        last = max(stored, known)
        append(valkey(), str(run_id), fence, [RunEvent.of(last + 1, "run.cancelled", {})], over_loss=known > stored)
    except (RedisError, LogError, OSError) as error:
        logger.warning("Run %s was cancelled; its log could not be told: %s", run_id, error)


def forget_logs(run_ids: Collection[UUID]) -> None:
    """Take the logs of ended runs away at once. Without Valkey they lapse, an hour after the run ended."""
    try:
        for run_id in map(str, run_ids):
            forget(valkey(), run_id)
    except (RedisError, OSError) as error:
        logger.warning("The logs of %s runs could not be taken away (%s); they lapse by themselves.", len(run_ids), error)


def _tail() -> tuple[AsyncRedis, Tail]:
    loop = asyncio.get_running_loop()
    if loop not in _tails:
        ours = async_client(settings.REDIS_URL)
        _tails[loop] = (ours, Tail(ours))
    return _tails[loop]


async def leave_loop() -> None:
    """Close what this event loop opened here. A server's loop ends with its process; a test's does not."""
    ours, tail = _tails.pop(asyncio.get_running_loop(), (None, None))
    if ours is not None and tail is not None:
        await tail.aclose()
        await ours.aclose()


async def stream_run(
    run_id: str, after: int, *, over: bool, is_over: Callable[[], Awaitable[bool]], may_listen: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    """A run's events after `after` as server-sent events, up to its terminal one. Ends early when the log has expired.

    may_listen is asked every PING_S, in silence and in mid-speech: where it says no, the stream ends.
    """
    ours, tail = _tail()
    seat = tail.seat(run_id)
    clock = asyncio.get_running_loop().time
    asked = clock()
    try:
        async with aclosing(follow(ours, run_id, after, heartbeat=PING_S, over=over, is_over=is_over, source=seat)) as items:
            async for item in items:
                if clock() - asked >= PING_S:
                    if not await may_listen():
                        return
                    asked = clock()
                yield PING if isinstance(item, Heartbeat) else format_event(item)
    except LogExpired:
        return
    finally:
        seat.close()


def log_expired(run_id: str, after: int, *, over: bool) -> bool:
    """Whether the log can no longer say what came after `after`. Raises Unavailable when Valkey does not answer."""
    try:
        return expired(valkey(), run_id, after, over=over)
    except AWAY:
        raise Unavailable(_AWAY, retry_after=5) from None
