"""Numbering, merging and cutting batches, without I/O."""

from __future__ import annotations

import random

from agent.stream.pending import BATCH_BYTES, BATCH_EVENTS, Pending


def pending(last_seq: int = 0) -> Pending:
    return Pending("r", 1, last_seq)


def test_deltas_of_one_kind_share_an_event_until_something_else_comes() -> None:
    log = pending()
    seqs = []
    for type, data in [
        ("run.started", {}),
        ("text.delta", {"text": "a"}),
        ("text.delta", {"text": "b"}),
        ("thinking.delta", {"text": "c"}),
        ("text.delta", {"text": "d"}),
        ("step.started", {"index": 1}),
        ("text.delta", {"text": "e"}),
    ]:
        log.add(type, data)
        seqs.append(log.seq)
    assert seqs == [1, 2, 2, 3, 4, 5, 6]
    batch = log.cut()
    assert batch is not None
    pieces = [b'"ab"', b'"c"', b'"d"', b'"index":1', b'"e"']
    assert sorted(batch.index(piece) for piece in pieces) == [batch.index(piece) for piece in pieces]


def test_only_the_first_delta_of_a_text_is_urgent() -> None:
    log = pending()
    assert log.add("text.delta", {"text": "a"})
    assert not log.add("text.delta", {"text": "b"})
    log.cut()
    log.settle(1)
    assert not log.add("text.delta", {"text": "c"}), "the text goes on in another event, with the next tick"
    assert log.seq == 2
    assert log.add("thinking.delta", {"text": "d"})
    assert log.add("text.delta", {"text": "e"})
    assert log.add("step.started", {})


def test_a_delta_that_was_cut_grows_no_more() -> None:
    log = pending()
    log.add("text.delta", {"text": "a"})
    assert b'"a"' in (log.cut() or b"")
    log.add("text.delta", {"text": "b"})
    log.settle(1)
    assert b'"b"' in (log.cut() or b"")
    log.settle(2)
    assert log.stored == log.seq == 2
    assert log.cut() is None


def test_a_backlog_grows_one_event_not_many() -> None:
    log = pending()
    log.add("text.delta", {"text": "a"})
    for _ in range(100):
        assert log.cut() is not None
        log.doubt()
        log.add("text.delta", {"text": "b"})
    assert log.seq == 2
    log.cut()
    log.settle(1)
    assert b'"%b"' % (b"b" * 100) in (log.cut() or b"")


def test_a_batch_is_bounded_in_events_and_bytes() -> None:
    log = pending()
    for index in range(BATCH_EVENTS + 10):
        log.add("step.started", {"index": index})
    first = log.cut() or b""
    assert first.count(b"step.started") == BATCH_EVENTS
    log.settle(BATCH_EVENTS)
    assert (log.cut() or b"").count(b"step.started") == 10
    log.settle(BATCH_EVENTS + 10)
    for _ in range(3):
        log.add("tool_call.finished", {"parts": "x" * (BATCH_BYTES // 2)})
    assert (log.cut() or b"").count(b"tool_call.finished") == 2


def test_a_batch_stored_before_its_reply_was_lost_is_not_sent_again() -> None:
    log = pending(10)
    log.add("run.started", {})
    log.add("step.started", {})
    log.cut()
    log.doubt()
    log.add("run.resumed", {})
    log.cut()
    log.settle(-2 - 12)
    assert not log.lost
    rest = log.cut() or b""
    assert b"run.resumed" in rest
    assert b"step.started" not in rest
    log.settle(13)
    assert log.stored == log.seq == 13


def test_events_of_someone_else_under_our_seq_end_the_log() -> None:
    log = pending(10)
    log.add("run.started", {})
    log.cut()
    log.settle(-2 - 11)
    assert log.lost
    assert log.cut() is None


def test_a_valkey_that_lost_entries_is_written_past_the_hole() -> None:
    log = pending(10)
    log.add("run.started", {})
    refused = log.cut() or b""
    log.settle(-2 - 7)
    again = log.cut() or b""
    assert not log.lost
    assert refused.replace(b"$1\r\n0\r\n", b"$1\r\n1\r\n", 1) == again, "the same batch, with over_loss set"


def test_any_order_of_emits_cuts_faults_and_replies_stays_gapless() -> None:
    rng = random.Random(7)  # noqa: S311
    for _ in range(200):
        log, stored = pending(), 0
        for step in range(60):
            if rng.random() < 0.7:
                log.add(rng.choice(["text.delta", "thinking.delta"]), {"text": f"<{step}>"})
            elif (batch := log.cut()) is not None:
                count = batch.count(b".delta")
                first = log.stored + 1
                fits, lost_reply = first == stored + 1, rng.random() < 0.3
                if fits and not (lost_reply and rng.random() < 0.5):
                    stored += count
                if lost_reply:
                    log.doubt()
                else:
                    log.settle(stored if fits else -2 - stored)
        while (batch := log.cut()) is not None:
            fits = log.stored == stored
            stored += batch.count(b".delta") if fits else 0
            log.settle(stored if fits else -2 - stored)
        assert not log.lost
        assert log.seq == log.stored == stored
