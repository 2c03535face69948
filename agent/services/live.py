"""Valkey as web processes see it: is it there, append an event, follow a run."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from django.conf import settings
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from agent.stream import PING, Heartbeat, LogExpired, Tail, expired, follow, format_event
from llmconfig.tenancy.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

_AWAY = "The queue (Valkey) does not answer. Messages already accepted are kept and go on when it is back."
_tails: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[AsyncRedis, Tail]] = WeakKeyDictionary()


@cache
def valkey() -> Redis:
    """This process's client for short commands: it gives up after 2 s."""
    return Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def require_valkey() -> None:
    """Raises Unavailable (503) when Valkey does not answer."""
    try:
        valkey().ping()
    except (RedisError, OSError):
        raise Unavailable(_AWAY, retry_after=5) from None


def _tail() -> tuple[AsyncRedis, Tail]:
    loop = asyncio.get_running_loop()
    if loop not in _tails:
        client = AsyncRedis.from_url(settings.REDIS_URL)
        _tails[loop] = (client, Tail(client))
    return _tails[loop]


async def stream_run(run_id: str, after: int, is_over: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
    """A run's events after `after` as server-sent events, up to its terminal one. Ends early when the log has expired."""
    client, tail = _tail()
    seat = tail.seat(run_id)
    try:
        async for item in follow(client, run_id, after, is_over=is_over, source=seat):
            yield PING if isinstance(item, Heartbeat) else format_event(item)
    except LogExpired:
        return
    finally:
        seat.close()


async def log_expired(run_id: str, after: int, *, over: bool) -> bool:
    """Whether the log can no longer say what came after `after`."""
    client, _ = _tail()
    return await expired(client, run_id, after, over=over)
