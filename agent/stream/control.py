"""Tells workers at once that a run is to be cancelled. A nudge: who misses it reads the run's row with its next heartbeat."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from agent.stream.pipe import AWAY
from agent.stream.resp import text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

logger = logging.getLogger(__name__)

CHANNEL: Final = "routekit:control"
RETRY: Final = 0.5


def publish_cancel(client: Redis, run_id: str) -> int:
    """Returns how many workers heard it."""
    return client.publish(CHANNEL, run_id)


async def listen(client: AsyncRedis) -> AsyncGenerator[str, None]:
    """Ids of runs to cancel, without end; subscribes again when Valkey comes back."""
    while True:
        async with aclosing(_messages(client)) as messages:
            try:
                async for run_id in messages:
                    yield run_id
            except AWAY as error:
                logger.warning("Control channel: waiting for Valkey: %s", error)
        await asyncio.sleep(RETRY)


async def _messages(client: AsyncRedis) -> AsyncGenerator[str, None]:
    async with client.pubsub() as channel:
        await channel.subscribe(CHANNEL)
        async for message in channel.listen():
            if message["type"] == "message":
                yield text(message["data"])
