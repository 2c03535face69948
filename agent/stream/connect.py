"""Valkey's client for an event loop: a bounded pool in which a burst waits for its turn instead of being refused."""

from __future__ import annotations

from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis

CONNECTIONS: Final = 32
WAIT_S: Final = 5.0


def async_client(url: str) -> Redis:
    """For the loop that it is first used on; close it with `aclose`."""
    return Redis.from_pool(BlockingConnectionPool.from_url(url, max_connections=CONNECTIONS, timeout=WAIT_S))
