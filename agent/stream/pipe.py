"""One round trip on a connection of a redis-py client: packed commands out, raw replies back, nothing retried.

Below redis-py's commands for two reasons. Its pipeline costs 13 µs of CPU a command where this costs 6 (bench/stream_log.py), and both
it and its client repeat what may already have been done, while the log's writer has to know that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, cast

from redis.exceptions import RedisError, ResponseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

AWAY = (RedisError, OSError, TimeoutError)
"""What a round trip raises when Valkey is away, hangs, or has no connection left for us."""


class _Connection(Protocol):
    async def send_packed_command(self, command: list[bytes]) -> None: ...
    async def read_response(self, *, disable_decoding: bool, timeout: float) -> Any: ...  # noqa: ASYNC109 (redis-py's name)
    async def disconnect(self, *, nowait: bool) -> None: ...


class _Pool(Protocol):
    async def get_connection(self) -> _Connection: ...
    async def release(self, connection: _Connection) -> None: ...


async def round_trip(client: Redis, commands: Sequence[bytes], *, within: float = 5.0) -> list[Any]:
    """The replies to packed commands in their order, in bytes; a command's own error is its reply. within: seconds for all of it.

    Raises one of AWAY when any reply is missing: each command may or may not have run.
    """
    async with asyncio.timeout(within):
        cancels = _cancels()
        pool = cast("_Pool", client.connection_pool)
        connection = await pool.get_connection()
        done = False
        try:
            await connection.send_packed_command([b"".join(commands)])
            _heed_cancel(cancels)
            replies = [await _reply(connection) for _ in commands]
            done = True
        finally:
            if not done:
                await connection.disconnect(nowait=True)
            await pool.release(connection)
    return replies


def _cancels() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


def _heed_cancel(before: int) -> None:
    """redis-py sends within `asyncio.wait_for`, which before Python 3.12 swallows a cancel that comes together with its result."""
    if _cancels() > before:
        raise asyncio.CancelledError


async def _reply(connection: _Connection) -> Any:
    try:
        return await connection.read_response(disable_decoding=True, timeout=float("inf"))
    except ResponseError as error:
        return error
