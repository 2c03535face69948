"""Cancel messages reach every worker, also after Valkey was away."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from agent.stream import listen, publish_cancel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.agent.stream.conftest import Valkey


async def heard(messages: AsyncIterator[str], run_id: str) -> bool:
    async for message in messages:
        if message == run_id:
            return True
    return False


async def until_heard(client: Redis, run_id: str, *listeners: AsyncIterator[str]) -> int:
    """How many heard. Publish until every listener has heard: a subscription becomes visible in its own time, and tells nobody."""
    waiting = asyncio.gather(*(heard(listener, run_id) for listener in listeners))
    async with asyncio.timeout(30):
        while not waiting.done():
            publish_cancel(client, run_id)
            await asyncio.sleep(0)
    return sum(await waiting)


async def test_every_listener_hears_a_cancel(client: Redis, async_client: AsyncRedis, run_id: str) -> None:
    async with aclosing(listen(async_client)) as one, aclosing(listen(async_client)) as other:
        assert await until_heard(client, run_id, one, other) == 2


async def test_listens_again_when_valkey_comes_back(own_valkey: Valkey, run_id: str) -> None:
    with Redis.from_url(own_valkey.url) as client:
        async with (
            AsyncRedis.from_url(own_valkey.url, retry=Retry(NoBackoff(), 0)) as async_client,
            aclosing(listen(async_client)) as messages,
        ):
            assert await until_heard(client, "before", messages) == 1
            own_valkey.kill()
            own_valkey.start()
            assert await until_heard(client, run_id, messages) == 1
