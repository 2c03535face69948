"""One connection for all followers: fan-out, seats that fall behind, runs that come and go."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from agent.stream import Heartbeat, RunEvent, Tail, append, follow
from tests.agent.stream.folding import collect
from tests.agent.stream.test_reader import a_run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

    from agent.stream.tail import Seat


@pytest.fixture
async def tail(async_client: AsyncRedis) -> AsyncIterator[Tail]:
    tail = Tail(async_client)
    yield tail
    await tail.aclose()


async def watch(tail: Tail, run_id: str, after: int = 0) -> list[RunEvent]:
    seat = tail.seat(run_id)
    try:
        return await collect(follow(tail.client, run_id, after, source=seat))
    finally:
        seat.close()


@asynccontextmanager
async def live(tail: Tail, run_id: str, after: int = 0) -> AsyncIterator[AsyncGenerator[RunEvent | Heartbeat, None]]:
    """A follower that has caught up and waits at the tail."""
    seat = tail.seat(run_id)
    async with aclosing(follow(tail.client, run_id, after, heartbeat=0.01, source=seat)) as follower:
        while await anext(follower) != Heartbeat():
            pass
        yield follower
    seat.close()


async def event_of(follower: AsyncGenerator[RunEvent | Heartbeat, None]) -> RunEvent:
    """Its next event, however long the machine takes to bring it."""
    while isinstance(item := await anext(follower), Heartbeat):
        pass
    return item


async def test_every_seat_of_every_run_sees_its_whole_run(client: Redis, tail: Tail, run_id: str) -> None:
    runs = {f"{run_id}-{index}": a_run(100) for index in range(20)}
    async with AsyncExitStack() as stack:
        followers = [(run, await stack.enter_async_context(live(tail, id))) for id, run in runs.items() for _ in range(3)]
        seen = [asyncio.ensure_future(collect(follower)) for _, follower in followers]
        for step in range(0, 100, 5):
            for id, run in runs.items():
                append(client, id, 1, run[step : step + 5])
            await asyncio.sleep(0)
        assert await asyncio.gather(*seen) == [run for run, _ in followers]


async def test_all_followers_share_one_blocked_connection(client: Redis, tail: Tail, run_id: str) -> None:
    async with AsyncExitStack() as stack:
        for index in range(10):
            await stack.enter_async_context(live(tail, f"{run_id}-{index}"))
        assert client.info("clients")["blocked_clients"] == 1


async def test_a_viewer_who_comes_late_catches_up_with_the_others(client: Redis, tail: Tail, run_id: str) -> None:
    run, late = a_run(200), []
    early = asyncio.ensure_future(watch(tail, run_id))
    for index, event in enumerate(run):
        append(client, run_id, 1, [event])
        await asyncio.sleep(0)
        if index % 10 == 0:
            late.append(asyncio.ensure_future(watch(tail, run_id, index // 2)))
    assert await early == run
    for index, seen in enumerate(late):
        assert await seen == run[index * 5 :]


async def test_who_joins_behind_the_tail_reads_what_lies_between(client: Redis, tail: Tail, run_id: str) -> None:
    run = a_run(4)
    async with live(tail, run_id) as early:
        append(client, run_id, 1, run[:2])
        assert [await event_of(early), await event_of(early)] == run[:2]
        seat = tail.seat(run_id)
        assert not await tail.join(seat, 1)
        assert await tail.join(tail.seat(run_id), 2)
        append(client, run_id, 1, run[2:])
        assert await collect(early) == run[2:]


async def test_a_seat_asks_the_log_for_what_it_was_not_brought(client: Redis, tail: Tail, run_id: str) -> None:
    run = a_run(4)
    seat = tail.seat(run_id)
    follower = follow(tail.client, run_id, 0, heartbeat=0.01, source=seat)
    assert await anext(follower) == Heartbeat()
    tail.leave(seat)
    append(client, run_id, 1, run)
    seat.push(run[2:3])
    assert await collect(follower) == run


async def test_a_slow_seat_reads_what_overflowed_from_the_log(
    client: Redis, tail: Tail, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.stream.tail.BACKLOG", 10)
    run = a_run(300)
    async with live(tail, run_id) as slow, live(tail, run_id) as quick:
        for event in run:
            append(client, run_id, 1, [event])
            assert await event_of(quick) == event
        assert await collect(slow) == run


async def test_what_overflows_while_a_seat_joins_is_read_from_the_log(
    client: Redis, tail: Tail, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.stream.tail.BACKLOG", 10)
    run, join = a_run(20), tail.join

    async def slow_join(seat: Seat, after: int) -> bool:
        """The answer of a Valkey that is slow to take the bell: the tail brings events meanwhile."""
        joined = await join(seat, after)
        append(client, run_id, 1, run)
        seat.push(run)
        return joined

    monkeypatch.setattr(tail, "join", slow_join)
    seat = tail.seat(run_id)
    try:
        assert await seat.read(0, 0) == run
    finally:
        seat.close()


async def test_a_run_that_nobody_watches_is_followed_no_more(client: Redis, tail: Tail, run_id: str) -> None:
    (last,) = a_run(1)
    leaving, staying = tail.seat(run_id), tail.seat(run_id)
    followers = [follow(tail.client, run_id, 0, heartbeat=0.01, source=seat) for seat in (leaving, staying)]
    assert [await anext(follower) for follower in followers] == [Heartbeat(), Heartbeat()]
    leaving.close()
    append(client, run_id, 1, [last])
    assert await collect(followers[1]) == [last]
    staying.close()
    staying.close()
    assert tail._seats == {}
    assert list(tail._positions) == [tail._bell]


async def test_closing_the_tail_ends_its_task(async_client: AsyncRedis, client: Redis, run_id: str) -> None:
    before = asyncio.all_tasks()
    tail = Tail(async_client)
    append(client, run_id, 1, a_run(3))
    await watch(tail, run_id)
    await tail.aclose()
    assert asyncio.all_tasks() == before
