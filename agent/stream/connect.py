"""Valkey's clients: bounded pools in which a burst waits for its turn instead of being refused.

driver_info=None: a connection does not introduce its library, for which redis-py would read that library's metadata from disk each time.
"""

from __future__ import annotations

from typing import Final

from redis import BlockingConnectionPool, Redis
from redis.asyncio import BlockingConnectionPool as AsyncPool
from redis.asyncio import Redis as AsyncRedis

CONNECTIONS: Final = 32
WAIT_S: Final = 5.0
ANSWER_S: Final = 2.0


def async_client(url: str) -> AsyncRedis:
    """For the loop that it is first used on; close it with `aclose`."""
    return AsyncRedis.from_pool(AsyncPool.from_url(url, max_connections=CONNECTIONS, timeout=WAIT_S, driver_info=None))


def client(url: str) -> Redis:
    """For the threads of a process: short commands, given up after ANSWER_S."""
    pool = BlockingConnectionPool.from_url(
        url, max_connections=CONNECTIONS, timeout=WAIT_S, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S, driver_info=None
    )
    return Redis(connection_pool=pool)
