"""The append script and the synchronous writer, against a real Valkey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.stream import LogConflict, LogStale, RunEvent, append, last_seq, take
from agent.stream.log import ENDED_TTL_MS, RUNNING_TTL_MS, fence_key, stream_key

if TYPE_CHECKING:
    from redis import Redis


def events(first: int, *types: str) -> list[RunEvent]:
    return [RunEvent.of(first + index, type, {"index": index}) for index, type in enumerate(types)]


def entries(client: Redis, run_id: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
    return client.xrange(stream_key(run_id))


def test_appends_under_the_seq_as_id(client: Redis, run_id: str) -> None:
    assert last_seq(client, run_id) == 0
    assert append(client, run_id, 1, events(1, "run.started", "step.started")) == 2
    assert append(client, run_id, 1, events(3, "run.waiting")) == 3
    assert last_seq(client, run_id) == 3
    assert entries(client, run_id) == [
        (b"1-0", {b"t": b"run.started", b"d": b'{"index":0}'}),
        (b"2-0", {b"t": b"step.started", b"d": b'{"index":1}'}),
        (b"3-0", {b"t": b"run.waiting", b"d": b'{"index":0}'}),
    ]


@pytest.mark.parametrize("first", [1, 2, 4, 5], ids=["all again", "overlap", "gap of one", "gap of two"])
def test_refuses_what_does_not_follow(client: Redis, run_id: str, first: int) -> None:
    append(client, run_id, 1, events(1, "run.started", "step.started"))
    before = entries(client, run_id)
    with pytest.raises(LogConflict) as refused:
        append(client, run_id, 1, events(first, "a", "b"))
    assert refused.value.last == 2
    assert entries(client, run_id) == before


def test_the_very_same_batch_again_changes_nothing(client: Redis, run_id: str) -> None:
    batch = events(1, "run.started", "step.started")
    assert append(client, run_id, 1, batch) == append(client, run_id, 1, batch) == 2
    assert len(entries(client, run_id)) == 2


def test_refuses_a_lower_fence_from_the_moment_the_log_is_taken(client: Redis, run_id: str) -> None:
    append(client, run_id, 1, events(1, "run.started"))
    assert take(client, run_id, 2) == 1
    with pytest.raises(LogStale):
        append(client, run_id, 1, events(2, "step.started"))
    with pytest.raises(LogStale):
        take(client, run_id, 1)
    assert append(client, run_id, 2, events(2, "step.restarted")) == 2


def test_fences_are_compared_as_numbers(client: Redis, run_id: str) -> None:
    take(client, run_id, 9)
    assert take(client, run_id, 10) == 0
    with pytest.raises(LogStale):
        take(client, run_id, 9)


def test_an_empty_log_goes_on_after_any_seq(client: Redis, run_id: str) -> None:
    assert append(client, run_id, 3, events(58, "step.started")) == 58


def test_a_known_loss_may_be_written_over_but_never_backwards(client: Redis, run_id: str) -> None:
    append(client, run_id, 1, events(1, "run.started"))
    assert append(client, run_id, 1, events(5, "step.started"), over_loss=True) == 5
    with pytest.raises(LogConflict):
        append(client, run_id, 1, events(4, "step.started"), over_loss=True)


def test_no_events_are_no_append(client: Redis, run_id: str) -> None:
    assert append(client, run_id, 1, []) == 0
    assert client.exists(stream_key(run_id), fence_key(run_id)) == 0


def test_works_when_valkey_has_forgotten_the_script(client: Redis, run_id: str) -> None:
    client.script_flush()
    assert append(client, run_id, 1, events(1, "run.started")) == 1
    client.script_flush()
    assert take(client, run_id, 1) == 1


@pytest.mark.parametrize(
    ("type", "expiry"),
    [("step.started", RUNNING_TTL_MS), ("run.completed", ENDED_TTL_MS), ("run.failed", ENDED_TTL_MS), ("run.cancelled", ENDED_TTL_MS)],
)
def test_log_and_fence_expire_together(client: Redis, run_id: str, type: str, expiry: int) -> None:
    append(client, run_id, 1, events(1, "run.started"))
    append(client, run_id, 1, events(2, type))
    for key in (stream_key(run_id), fence_key(run_id)):
        assert expiry - 60_000 < client.pttl(key) <= expiry


def test_the_log_is_bounded(client: Redis, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.stream.writer.MAX_EVENTS", 100)
    append(client, run_id, 1, events(1, *["step.started"] * 1000))
    assert 100 <= len(entries(client, run_id)) < 300
    assert last_seq(client, run_id) == 1000


def test_half_a_character_is_carried_as_an_escape() -> None:
    assert RunEvent.of(1, "a", {"text": "\ud83d"}).data == '{"text":"\\ud83d"}'
    assert RunEvent.of(1, "a", {"text": "é😀"}).data == '{"text":"é😀"}'
