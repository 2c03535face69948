"""Cancelling: by whom a run is held decides who ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from agent.models import Run, ToolCall
from agent.services import live
from agent.services.runs import cancel_run, is_over, run_for
from agent.stream import RunEvent, append
from tests.agent.events import log_of
from tests.agent.rows import answered, claimed, decision, queued_run, service_of, tool_call

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.usefixtures("valkey")


def cancel(person: Person, run: Run, capture: Any) -> Run:
    with capture(execute=True):
        return cancel_run(caller=person.caller, run_id=run.id)


def test_a_queued_run_ends_here(alice: Person, django_capture_on_commit_callbacks: Any) -> None:
    run = cancel(alice, queued_run(alice), django_capture_on_commit_callbacks)
    assert (run.status, run.fence) == ("cancelled", 1)
    assert run.finished_at is not None
    assert log_of(run.id) == [(1, "run.cancelled", {})]
    assert is_over(run.id)


def test_a_waiting_run_ends_here_and_its_questions_with_it(alice: Person, django_capture_on_commit_callbacks: Any) -> None:
    run = queued_run(alice)
    claim = claimed(run)
    answered(claim, run, calls=(decision(tool_call("crm__close"), service_of(alice, "close"), "waiting"),))
    Run.objects.update(status="waiting_approval", event_seq=2)
    append(live.valkey(), str(run.id), claim.fence, [RunEvent.of(1, "run.started", {}), RunEvent.of(2, "run.waiting", {})])
    cancel(alice, run, django_capture_on_commit_callbacks)
    assert ToolCall.objects.get().status == "expired"
    assert [(seq, type) for seq, type, _ in log_of(run.id)][-1] == (3, "run.cancelled")


def test_a_log_that_lost_its_end_still_closes_above_what_was_given_out(alice: Person, django_capture_on_commit_callbacks: Any) -> None:
    run = queued_run(alice)
    Run.objects.update(event_seq=40)
    cancel(alice, run, django_capture_on_commit_callbacks)
    assert log_of(run.id) == [(41, "run.cancelled", {})]


def test_a_running_run_is_its_workers_to_end(alice: Person, valkey: str, django_capture_on_commit_callbacks: Any) -> None:
    run = queued_run(alice)
    claimed(run)
    with Redis.from_url(valkey) as client, client.pubsub() as heard:
        heard.subscribe("routekit:control")
        heard.get_message(timeout=5)
        cancel(alice, run, django_capture_on_commit_callbacks)
        message = heard.get_message(timeout=5)
    assert message is not None
    assert message["data"] == str(run.id).encode()
    run.refresh_from_db()
    assert run.status == "running"
    assert run.cancel_requested_at is not None
    assert not is_over(run.id)


def test_an_ended_run_stays_as_it_is(alice: Person, django_capture_on_commit_callbacks: Any) -> None:
    run = queued_run(alice)
    Run.objects.update(status="completed")
    assert cancel(alice, run, django_capture_on_commit_callbacks).status == "completed"
    assert log_of(run.id) == []


def test_without_valkey_the_row_still_says_so(
    alice: Person, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    queued, running = queued_run(alice), queued_run(alice)
    claimed(running)
    with Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=1) as nobody:
        monkeypatch.setattr(live, "valkey", lambda: nobody)
        assert cancel(alice, queued, django_capture_on_commit_callbacks).status == "cancelled"
        assert cancel(alice, running, django_capture_on_commit_callbacks).cancel_requested_at is not None
    assert "its log could not be told" in caplog.text
    assert "the worker's heartbeat will find it" in caplog.text


def test_a_run_is_its_owners_alone(alice: Person, bob: Person, mallory: Person) -> None:
    run = queued_run(bob)
    for other in (alice, mallory):
        with pytest.raises(Run.DoesNotExist):
            run_for(other.caller, run.id)
        with pytest.raises(Run.DoesNotExist):
            cancel_run(caller=other.caller, run_id=run.id)
