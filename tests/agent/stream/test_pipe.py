"""One round trip: replies in order, errors as replies, and a cancel that is heeded wherever it lands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from agent.stream.entries import ask
from agent.stream.pipe import AWAY, round_trip
from agent.stream.resp import pack, text

if TYPE_CHECKING:
    from pathlib import Path


async def test_replies_come_in_order_and_an_error_is_one_of_them(async_client: Redis) -> None:
    first, second, third = await round_trip(async_client, [pack("ECHO", "é"), pack("NO-SUCH-COMMAND"), pack("ECHO", 3)])
    assert (first, third) == ("é".encode(), b"3")
    assert isinstance(second, ResponseError)
    with pytest.raises(ResponseError, match="unknown command"):
        await ask(async_client, pack("NO-SUCH-COMMAND"))


async def test_replies_are_bytes_whatever_the_client_decodes(async_client: Redis) -> None:
    options = async_client.connection_pool.connection_kwargs
    async with Redis(unix_socket_path=options["path"], decode_responses=True) as client:
        assert await ask(client, pack("ECHO", "a")) == b"a"
    assert text(b"a") == text("a") == "a"


@pytest.mark.parametrize("turns", range(25))
async def test_a_cancel_is_heeded_wherever_it_lands(async_client: Redis, turns: int) -> None:
    forever = pack("XREAD", "BLOCK", 0, "STREAMS", "nothing-is-ever-here", 0)
    waiting = asyncio.ensure_future(round_trip(async_client, [forever], within=3600))
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 10)
    assert await ask(async_client, pack("ECHO", turns)) == b"%d" % turns, "the next one gets its own reply"


async def test_a_valkey_that_hangs_counts_as_away(async_client: Redis) -> None:
    with pytest.raises(AWAY):
        await round_trip(async_client, [pack("XREAD", "BLOCK", 0, "STREAMS", "nothing-is-ever-here", 0)], within=0.01)
    assert await ask(async_client, pack("ECHO", 1)) == b"1"


async def test_a_valkey_that_is_not_there_is_away(tmp_path: Path) -> None:
    async with Redis(unix_socket_path=str(tmp_path / "none"), retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(AWAY):
            await ask(client, pack("PING"))
