"""Following a run, from a connection of one's own and from a seat at the process's tail."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from agent.stream import Heartbeat, LogExpired, RunEvent, Tail, append, expired, follow
from agent.stream.log import stream_key
from agent.stream.reader import Direct
from tests.agent.stream.folding import collect, seqs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from agent.stream.reader import Source
    from tests.agent.stream.conftest import Valkey

    Seating = Callable[[AsyncRedis, str], AbstractAsyncContextManager[Source]]


@asynccontextmanager
async def direct(client: AsyncRedis, run_id: str) -> AsyncIterator[Source]:
    yield Direct(client, run_id)


@asynccontextmanager
async def seated(client: AsyncRedis, run_id: str) -> AsyncIterator[Source]:
    tail = Tail(client)
    seat = tail.seat(run_id)
    yield seat
    seat.close()
    await tail.aclose()


@pytest.fixture(params=[direct, seated])
def seating(request: pytest.FixtureRequest) -> Seating:
    return request.param


@pytest.fixture
async def source(seating: Seating, async_client: AsyncRedis, run_id: str) -> AsyncIterator[Source]:
    async with seating(async_client, run_id) as source:
        yield source


def a_run(length: int, *, first: int = 1, end: str = "run.completed") -> list[RunEvent]:
    types = ["text.delta"] * (length - 1) + [end]
    return [RunEvent.of(first + index, type, {"text": f"{first + index} é😀"}) for index, type in enumerate(types)]


async def test_resumes_at_every_cut_of_a_run_without_gap_or_duplicate(client: Redis, async_client: AsyncRedis, run_id: str) -> None:
    run = a_run(200)
    append(client, run_id, 1, run)
    for cut in range(201):
        assert await collect(follow(async_client, run_id, cut, over=True)) == run[cut:]


async def test_a_connection_cut_after_every_event_while_the_run_goes_on(
    client: Redis, async_client: AsyncRedis, run_id: str, seating: Seating
) -> None:
    run, seen = a_run(200), []
    while len(seen) < len(run):
        async with seating(async_client, run_id) as source:
            follower = follow(async_client, run_id, len(seen), source=source)
            next_event = asyncio.ensure_future(anext(follower))
            await asyncio.sleep(0)
            append(client, run_id, 1, [run[len(seen)]])
            seen.append(await next_event)
            await follower.aclose()
    assert seen == run


async def test_follows_a_log_that_has_yet_to_begin(client: Redis, async_client: AsyncRedis, run_id: str, source: Source) -> None:
    collected = asyncio.ensure_future(collect(follow(async_client, run_id, 0, source=source)))
    await asyncio.sleep(0)
    run = a_run(5)
    for event in run:
        append(client, run_id, 1, [event])
    assert await collected == run


async def test_replays_a_long_log(client: Redis, async_client: AsyncRedis, run_id: str, source: Source) -> None:
    run = a_run(2500)
    append(client, run_id, 1, run)
    assert await collect(follow(async_client, run_id, 0, source=source)) == run


async def test_silence_is_filled_with_heartbeats(client: Redis, async_client: AsyncRedis, run_id: str, source: Source) -> None:
    follower = follow(async_client, run_id, 0, heartbeat=0.01, source=source)
    assert [await anext(follower), await anext(follower)] == [Heartbeat(), Heartbeat()]
    (last,) = a_run(1)
    append(client, run_id, 1, [last])
    assert await collect(follower) == [last]


async def test_who_has_seen_the_end_gets_nothing_more(client: Redis, async_client: AsyncRedis, run_id: str, source: Source) -> None:
    append(client, run_id, 1, a_run(3))
    assert await collect(follow(async_client, run_id, 3, over=True, source=source)) == []
    assert not expired(client, run_id, 3, over=True)


async def test_the_log_of_a_run_that_is_over_has_expired(client: Redis, async_client: AsyncRedis, run_id: str, source: Source) -> None:
    append(client, run_id, 1, a_run(3))
    assert not expired(client, run_id, 0, over=True)
    client.pexpire(stream_key(run_id), 0)
    assert expired(client, run_id, 0, over=True)
    assert not expired(client, run_id, 0, over=False)
    with pytest.raises(LogExpired):
        await collect(follow(async_client, run_id, 0, over=True, source=source))


async def test_a_log_whose_beginning_is_gone_has_expired_for_who_needs_it(
    client: Redis, async_client: AsyncRedis, run_id: str, source: Source
) -> None:
    append(client, run_id, 1, a_run(10))
    client.xtrim(stream_key(run_id), minid="5-0", approximate=False)
    assert expired(client, run_id, 3, over=False)
    assert not expired(client, run_id, 4, over=False)
    with pytest.raises(LogExpired):
        await collect(follow(async_client, run_id, 3, source=source))
    assert seqs(await collect(follow(async_client, run_id, 4))) == [5, 6, 7, 8, 9, 10]


async def test_a_hole_is_never_read_over(client: Redis, async_client: AsyncRedis, run_id: str, source: Source) -> None:
    append(client, run_id, 1, a_run(3, end="step.started"))
    append(client, run_id, 1, a_run(3, first=6), over_loss=True)
    follower = follow(async_client, run_id, 0, source=source)
    assert seqs([await anext(follower) for _ in range(3)]) == [1, 2, 3]
    with pytest.raises(LogExpired):
        await anext(follower)


async def test_a_terminal_event_that_never_comes_is_not_waited_for(
    client: Redis, async_client: AsyncRedis, run_id: str, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.stream.reader.GRACE", 0.01)
    append(client, run_id, 1, a_run(3, end="step.started"))
    follower = follow(async_client, run_id, 0, over=True, source=source)
    assert seqs([await anext(follower) for _ in range(3)]) == [1, 2, 3]
    with pytest.raises(LogExpired):
        await anext(follower)


async def test_a_run_that_ends_during_a_silence_is_noticed(
    client: Redis, async_client: AsyncRedis, run_id: str, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.stream.reader.GRACE", 0.01)
    append(client, run_id, 1, a_run(1, end="run.started"))
    answers = iter([False, True])

    async def is_over() -> bool:
        return next(answers)

    follower = follow(async_client, run_id, 0, heartbeat=0.01, is_over=is_over, source=source)
    assert isinstance(await anext(follower), RunEvent)
    assert [await anext(follower), await anext(follower)] == [Heartbeat(), Heartbeat()]
    with pytest.raises(LogExpired):
        await anext(follower)


async def test_goes_on_after_valkey_was_away(own_valkey: Valkey, run_id: str, seating: Seating) -> None:
    run = a_run(20)
    retry = Retry(NoBackoff(), 0)
    async with AsyncRedis.from_url(own_valkey.url, retry=retry) as async_client, seating(async_client, run_id) as source:
        with Redis.from_url(own_valkey.url) as client:
            append(client, run_id, 1, run[:10])
            follower = follow(async_client, run_id, 0, heartbeat=0.05, source=source)
            assert [await anext(follower) for _ in range(10)] == run[:10]
            own_valkey.kill()
            assert await anext(follower) == Heartbeat()
            own_valkey.start()
            append(client, run_id, 1, run[10:])
            assert await collect(follower) == run[10:]
