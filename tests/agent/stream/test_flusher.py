"""The flusher against a real Valkey: order, gaplessness, coalescing, fences, outages."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from agent.stream import Flusher, LogExpired, LogStale, RunEvent, append, follow, last_seq, take
from agent.stream.entries import stored
from agent.stream.log import ENDED_TTL_MS, stream_key
from agent.stream.pipe import round_trip
from tests.agent.stream.folding import collect, emitted, fold, seqs

if TYPE_CHECKING:
    from redis import Redis

    from agent.stream import RunLog
    from tests.agent.stream.conftest import Valkey


@pytest.fixture
def slow_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for the tick waits for ever, so that a test sees what does not wait for it."""
    monkeypatch.setattr("agent.stream.flusher.TICK", 3600)


async def log_of(client: AsyncRedis, run_id: str) -> list[RunEvent]:
    return await stored(client, run_id, count=100_000)


def a_burst(rng: random.Random, size: int) -> list[tuple[str, dict[str, Any]]]:
    types = ["text.delta"] * 6 + ["thinking.delta"] * 2 + ["tool_call.requested", "step.started"]
    return [
        (type, {"text": f"{index} é😀 "}) if type.endswith(".delta") else (type, {"index": index})
        for index, type in enumerate(rng.choices(types, k=size))
    ]


async def test_random_bursts_of_many_runs_are_gapless_and_in_order(async_client: AsyncRedis, flusher: Flusher) -> None:
    rng = random.Random(1)  # noqa: S311

    async def play(run_id: str) -> None:
        log, sent = flusher.open(run_id, 1, 0), []
        for _ in range(20):
            for type, data in a_burst(rng, rng.randrange(1, 12)):
                before = log.seq
                assert log.emit(type, data) in (before, before + 1)
                sent.append((type, data))
            await asyncio.sleep(rng.choice([0, 0, 0.001, 0.01]))
        log.emit("run.completed", {})
        await log.close()
        events = await log_of(async_client, run_id)
        assert seqs(events) == list(range(1, log.seq + 1))
        assert fold(emitted(events)) == fold([*sent, ("run.completed", {})])

    await asyncio.gather(*(play(f"burst-{id(flusher)}-{index}") for index in range(30)))


@pytest.mark.usefixtures("slow_tick")
async def test_the_first_delta_goes_out_at_once_and_the_rest_wait_to_be_merged(
    async_client: AsyncRedis, flusher: Flusher, run_id: str
) -> None:
    log = flusher.open(run_id, 1, 0)
    follower = follow(async_client, run_id, 0)
    assert log.emit("text.delta", {"text": "Hel"}) == 1
    assert await anext(follower) == RunEvent(1, "text.delta", '{"text":"Hel"}')
    assert [log.emit("text.delta", {"text": text}) for text in ("lo", ", ", "Bob")] == [2, 2, 2]
    assert log.emit("step.started", {"index": 1}) == 3
    assert [await anext(follower), await anext(follower)] == [
        RunEvent(2, "text.delta", '{"text":"lo, Bob"}'),
        RunEvent(3, "step.started", '{"index":1}'),
    ]
    await follower.aclose()


async def test_merged_deltas_go_out_with_the_tick(async_client: AsyncRedis, flusher: Flusher, run_id: str) -> None:
    log = flusher.open(run_id, 1, 0)
    follower = follow(async_client, run_id, 0)
    log.emit("text.delta", {"text": "a"})
    await anext(follower)
    log.emit("text.delta", {"text": "b"})
    log.emit("text.delta", {"text": "c"})
    assert await anext(follower) == RunEvent(2, "text.delta", '{"text":"bc"}')
    await follower.aclose()


@pytest.mark.usefixtures("slow_tick")
async def test_flush_is_durable_and_does_not_wait_for_the_tick(client: Redis, flusher: Flusher, run_id: str) -> None:
    log = flusher.open(run_id, 1, 0)
    for text in "abc":
        log.emit("text.delta", {"text": text})
        await log.flush()
        assert last_seq(client, run_id) == log.seq
    await log.flush()
    assert log.seq == 3


@pytest.mark.usefixtures("slow_tick")
async def test_data_that_json_cannot_carry_is_refused_and_leaves_no_gap(client: Redis, flusher: Flusher, run_id: str) -> None:
    log = flusher.open(run_id, 1, 0)
    log.emit("text.delta", {"text": "a"})
    with pytest.raises(TypeError):
        log.emit("tool_call.finished", {"parts": object()})
    with pytest.raises(ValueError, match="JSON"):
        log.emit("usage.recorded", {"cost": float("nan")})
    with pytest.raises(KeyError):
        log.emit("thinking.delta", {})
    with pytest.raises(TypeError):
        log.emit("thinking.delta", {"text": None})
    log.emit("text.delta", {"text": "b"})
    await log.flush()
    assert client.xrange(stream_key(run_id)) == [(b"1-0", {b"t": b"text.delta", b"d": b'{"text":"ab"}'})]


async def test_characters_cut_in_two_come_out_whole(async_client: AsyncRedis, flusher: Flusher, run_id: str) -> None:
    log = flusher.open(run_id, 1, 0)
    log.emit("text.delta", {"text": "Zoë \ud83d"})
    log.emit("text.delta", {"text": "\ude00 \u2028 \x00"})
    await log.flush()
    (event,) = await log_of(async_client, run_id)
    assert json.loads(event.data) == {"text": "Zoë 😀 \u2028 \x00"}


async def test_a_stale_worker_writes_nothing_and_is_told(client: Redis, flusher: Flusher, run_id: str) -> None:
    log = flusher.open(run_id, 1, 0)
    log.emit("run.started", {})
    await log.flush()
    told = asyncio.Event()
    log.on_stale = told.set
    last = take(client, run_id, 2)
    log.emit("text.delta", {"text": "late"})
    with pytest.raises(LogStale):
        await log.flush()
    await told.wait()
    assert log.stale
    at = log.seq
    assert log.emit("step.started", {}) == at
    await log.close()
    assert last_seq(client, run_id) == last == 1


async def test_a_higher_fence_goes_on_where_the_last_one_stopped(async_client: AsyncRedis, flusher: Flusher, run_id: str) -> None:
    old = flusher.open(run_id, 1, await flusher.take(run_id, 1))
    old.emit("run.started", {})
    old.emit("text.delta", {"text": "half an ans"})
    await old.flush()
    new = flusher.open(run_id, 2, await flusher.take(run_id, 2))
    old.emit("text.delta", {"text": "wer"})
    assert new.emit("step.restarted", {"index": 0, "discard_after": 1}) == 3
    new.emit("run.completed", {})
    await new.close()
    await old.close()
    assert old.stale
    events = await log_of(async_client, run_id)
    assert [(event.seq, event.type) for event in events] == [
        (1, "run.started"),
        (2, "text.delta"),
        (3, "step.restarted"),
        (4, "run.completed"),
    ]
    with pytest.raises(LogStale):
        await flusher.take(run_id, 1)


async def test_a_decision_of_another_process_comes_between_two_claims(client: Redis, flusher: Flusher, run_id: str) -> None:
    log = flusher.open(run_id, 1, await flusher.take(run_id, 1))
    log.emit("run.waiting", {"reason": "tool"})
    await log.close()
    after = take(client, run_id, 2)
    append(client, run_id, 2, [RunEvent.of(after + 1, "tool_call.decided", {"by": "Alice"})])
    log = flusher.open(run_id, 3, await flusher.take(run_id, 3))
    assert log.emit("run.resumed", {}) == 3
    await log.close()


async def test_the_log_is_kept_for_an_hour_after_its_end(client: Redis, flusher: Flusher, run_id: str) -> None:
    log = flusher.open(run_id, 1, 0)
    log.emit("run.started", {})
    await log.flush()
    assert client.pttl(stream_key(run_id)) > ENDED_TTL_MS
    log.emit("run.completed", {})
    await log.close()
    assert 0 < client.pttl(stream_key(run_id)) <= ENDED_TTL_MS


async def test_a_forgotten_script_is_loaded_again(client: Redis, flusher: Flusher, run_id: str) -> None:
    log = flusher.open(run_id, 1, 0)
    for index in range(3):
        client.script_flush()
        log.emit("step.started", {"index": index})
        await log.flush()
    assert last_seq(client, run_id) == 3


async def test_an_error_of_valkey_is_tried_again(client: Redis, flusher: Flusher, run_id: str, caplog: pytest.LogCaptureFixture) -> None:
    client.set(stream_key(run_id), "not a stream")
    log = flusher.open(run_id, 1, 0)
    log.emit("run.started", {})
    flushed = asyncio.ensure_future(log.flush())
    async with asyncio.timeout(10):
        while "WRONGTYPE" not in caplog.text:  # noqa: ASYNC110 (the flusher tells its logger only)
            await asyncio.sleep(0)
    client.delete(stream_key(run_id))
    await flushed
    assert last_seq(client, run_id) == 1


async def test_nothing_is_lost_when_valkey_goes_and_comes_back(own_valkey: Valkey, run_id: str) -> None:
    rng = random.Random(3)  # noqa: S311
    async with AsyncRedis.from_url(own_valkey.url, retry=Retry(NoBackoff(), 0)) as client:
        flusher, sent = Flusher(client), []
        log = flusher.open(run_id, 1, 0)

        async def write(log: RunLog, bursts: int) -> None:
            for _ in range(bursts):
                for type, data in a_burst(rng, 10):
                    log.emit(type, data)
                    sent.append((type, data))
                await asyncio.sleep(0)

        for _ in range(5):
            await write(log, 10)
            own_valkey.kill()
            await write(log, 200)
            own_valkey.start()
            await write(log, 10)
        log.emit("run.completed", {})
        await log.close()
        events = await log_of(client, run_id)
        assert seqs(events) == list(range(events[0].seq, log.seq + 1))
        if events[0].seq == 1:
            assert fold(emitted(events)) == fold([*sent, ("run.completed", {})])
        else:  # Valkey kept nothing: the end is there, and who asks for more is told
            assert fold(sent)[-1] in fold(emitted(events))
            with pytest.raises(LogExpired):
                await collect(follow(client, run_id, 0))
        await flusher.aclose()


async def test_while_valkey_is_away_the_backlog_is_as_large_as_the_text(own_valkey: Valkey, run_id: str) -> None:
    async with AsyncRedis.from_url(own_valkey.url, retry=Retry(NoBackoff(), 0)) as client:
        flusher = Flusher(client)
        log = flusher.open(run_id, 1, 0)
        log.emit("run.started", {})
        await log.flush()
        own_valkey.kill()
        for _ in range(20_000):
            log.emit("text.delta", {"text": "word "})
            if log.seq == 2:
                await asyncio.sleep(0)
        own_valkey.start()
        await log.flush()
        assert log.seq <= 4
        assert len("".join(data["text"] for type, data in emitted(await log_of(client, run_id)) if type == "text.delta")) == 100_000
        await flusher.aclose()


async def test_a_fault_in_the_flusher_is_logged_and_tried_again(
    client: Redis, flusher: Flusher, run_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = iter([ZeroDivisionError("a bug")])

    async def failing_once(*args: Any, **kwargs: Any) -> Any:
        for fault in faults:
            raise fault
        return await round_trip(*args, **kwargs)

    monkeypatch.setattr("agent.stream.flusher.round_trip", failing_once)
    log = flusher.open(run_id, 1, 0)
    log.emit("run.started", {})
    await log.flush()
    assert last_seq(client, run_id) == 1
    assert "a bug" in caplog.text


async def test_a_script_that_cannot_be_loaded_is_tried_again(client: Redis, flusher: Flusher, run_id: str) -> None:
    client.script_flush()
    client.acl_setuser("default", enabled=True, commands=["-script|load"])
    try:
        log = flusher.open(run_id, 1, 0)
        log.emit("run.started", {})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(log.flush(), 0.2)
    finally:
        client.acl_setuser("default", enabled=True, commands=["+script|load"])
    await log.flush()
    assert last_seq(client, run_id) == 1


async def test_taking_a_log_that_is_no_log_says_so(client: Redis, flusher: Flusher, run_id: str) -> None:
    client.set(stream_key(run_id), "not a stream")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await flusher.take(run_id, 1)


async def test_closing_with_a_tick_to_come_ends_cleanly(async_client: AsyncRedis, run_id: str) -> None:
    flusher = Flusher(async_client)
    log = flusher.open(run_id, 1, 0)
    log.emit("text.delta", {"text": "a"})
    await log.flush()
    log.emit("text.delta", {"text": "b"})
    await flusher.aclose()
    await Flusher(async_client).aclose()
    assert len(await log_of(async_client, run_id)) == 1


async def test_closing_the_flusher_ends_its_task(async_client: AsyncRedis, run_id: str) -> None:
    before = asyncio.all_tasks()
    flusher = Flusher(async_client)
    log = flusher.open(run_id, 1, 0)
    log.emit("text.delta", {"text": "a"})
    await log.close()
    await flusher.aclose()
    assert asyncio.all_tasks() == before
