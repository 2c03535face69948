"""Claims: one winner, a fence that only grows, leases that lapse, and a sweep that finds what nobody holds."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from agent.models import Run, ToolCall
from agent.services import claims, doorbell
from agent.services.claims import Claim, Stopped, claim_run, heartbeat, requeue_if_decided, sweep
from agent.services.units import unit_of_work
from tests.agent.rows import answered, claimed, conversation_of, decision, queued_run, service_of, tool_call

if TYPE_CHECKING:
    from uuid import UUID

    from pytest_django.fixtures import DjangoAssertNumQueries, SettingsWrapper

    from tests.llmconfig.people import Person


def lapse(run: Run) -> None:
    Run.objects.filter(id=run.id).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def long_ago(run: Run) -> None:
    Run.objects.filter(id=run.id).update(nudged_at=timezone.now() - timedelta(hours=1))


def test_a_claim_takes_a_queued_run_once(alice: Person) -> None:
    run = queued_run(alice)
    claim = claimed(run)
    assert claim == Claim(run.id, 1)
    assert claim.is_first
    assert (run.status, run.lease_owner) == ("running", claims.WORKER)
    assert run.started_at is not None
    assert run.lease_expires_at is not None
    assert run.lease_expires_at > timezone.now()
    assert claim_run(run.id) is None


@pytest.mark.django_db(transaction=True)
def test_of_two_claimants_one_wins(alice: Person) -> None:
    run = queued_run(alice)
    barrier = threading.Barrier(4)

    def compete(_: int) -> Claim | None:
        barrier.wait()
        with unit_of_work():
            return claim_run(run.id)

    with ThreadPoolExecutor(4) as pool:
        won = [claim for claim in pool.map(compete, range(4)) if claim is not None]
    assert won == [Claim(run.id, 1)]


def test_a_lapsed_lease_is_taken_over_with_a_higher_fence(alice: Person) -> None:
    run = queued_run(alice)
    claimed(run)
    began = run.started_at
    lapse(run)
    second = claimed(run)
    assert second.fence == 2
    assert not second.is_first
    assert run.started_at == began


@pytest.mark.parametrize("status", ["waiting_approval", "completed", "failed", "cancelled"])
def test_what_waits_or_is_over_cannot_be_claimed(alice: Person, status: str) -> None:
    run = queued_run(alice)
    Run.objects.filter(id=run.id).update(status=status)
    assert claim_run(run.id) is None


def test_one_update_prolongs_all_leases_and_finds_cancels(alice: Person, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    runs = [queued_run(alice) for _ in range(3)]
    held = [claimed(run) for run in runs]
    for run in runs:
        lapse(run)
    Run.objects.filter(id=runs[0].id).update(cancel_requested_at=timezone.now())
    with django_assert_num_queries(5):  # savepoint, UPDATE, two SELECTs, release
        assert heartbeat(held) == {runs[0].id: Stopped("user")}
    assert not Run.objects.filter(lease_expires_at__lt=timezone.now()).exists()


def test_a_heartbeat_leaves_the_leases_of_others_alone(alice: Person) -> None:
    run = queued_run(alice)
    claim = claimed(run)
    Run.objects.filter(id=run.id).update(lease_owner="elsewhere:1")
    lapse(run)
    heartbeat([claim])
    assert Run.objects.get(id=run.id).lease_expires_at < timezone.now()


def test_the_sweep_rings_again_for_a_lost_message(alice: Person, rung: list[str], django_capture_on_commit_callbacks: Any) -> None:
    lost, fresh = queued_run(alice), queued_run(alice)
    Run.objects.filter(id=fresh.id).update(nudged_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        assert sweep() == 1
    assert rung == [str(lost.id)]
    assert sweep() == 0  # it was rung for just now


def test_the_sweep_rings_for_a_lapsed_lease_only(alice: Person, rung: list[str], django_capture_on_commit_callbacks: Any) -> None:
    dead, alive = queued_run(alice), queued_run(alice)
    for run in (dead, alive):
        claimed(run)
        long_ago(run)
    lapse(dead)
    with django_capture_on_commit_callbacks(execute=True):
        call_command("sweep_runs")
    assert rung == [str(dead.id)]


@pytest.fixture
def asked(alice: Person) -> tuple[Run, list[UUID]]:
    """A paused run with two questions."""
    run = queued_run(alice)
    claim = claimed(run)
    service = service_of(alice, "close", "delete")
    calls = [tool_call("crm__close", id=1), tool_call("crm__delete", id=2)]
    answered(claim, run, calls=tuple(decision(call, service, "waiting") for call in calls))
    Run.objects.filter(id=run.id).update(status="waiting_approval")
    return run, list(ToolCall.objects.filter(step__run=run).values_list("id", flat=True))


def overdue(*calls: UUID) -> None:
    ToolCall.objects.filter(id__in=calls).update(expires_at=timezone.now() - timedelta(seconds=1))


def test_an_approval_nobody_gave_expires_and_the_run_goes_on(
    asked: tuple[Run, list[UUID]], rung: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    run, calls = asked
    overdue(*calls)
    with django_capture_on_commit_callbacks(execute=True):
        assert sweep() == 1
    assert set(ToolCall.objects.values_list("status", "is_decision_announced")) == {("expired", False)}
    assert Run.objects.get(id=run.id).status == "queued"
    assert rung == [str(run.id)]


def test_a_run_waits_while_one_of_its_questions_is_open(asked: tuple[Run, list[UUID]], rung: list[str]) -> None:
    run, calls = asked
    overdue(calls[0])
    assert sweep() == 0
    assert not requeue_if_decided(run.id)
    assert Run.objects.get(id=run.id).status == "waiting_approval"


def test_an_unknown_outcome_holds_the_run_as_a_question_does(asked: tuple[Run, list[UUID]]) -> None:
    run, _ = asked
    ToolCall.objects.filter(step__run=run).update(status="unknown")
    assert not requeue_if_decided(run.id)
    ToolCall.objects.filter(step__run=run).update(status="approved")
    assert requeue_if_decided(run.id)


def test_a_broker_that_is_away_loses_no_run(
    alice: Person, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Away:
        def send_task(self, *arguments: Any, **options: Any) -> None:
            raise ConnectionError("no broker")

    monkeypatch.setattr(doorbell, "_celery", Away)
    run = queued_run(alice)
    with django_capture_on_commit_callbacks(execute=True):
        assert sweep() == 1
    assert "the sweeper will" in caplog.text
    assert Run.objects.get(id=run.id).status == "queued"


@pytest.mark.django_db(transaction=True)
def test_the_doorbell_rings_on_a_real_broker(alice: Person, valkey: str, settings: SettingsWrapper) -> None:
    from redis import Redis

    run = queued_run(alice)
    with unit_of_work():
        doorbell.nudge(run.id)
    with Redis.from_url(valkey) as client:
        assert client.llen(settings.CELERY_TASK_DEFAULT_QUEUE) == 1
    assert Run.objects.filter(nudged_at__isnull=False, fence=F("fence")).count() == 1


def test_one_active_run_of_a_conversation(alice: Person) -> None:
    from django.db import IntegrityError, transaction

    conversation = conversation_of(alice)
    queued_run(alice, conversation=conversation)
    with pytest.raises(IntegrityError), transaction.atomic():
        queued_run(alice, conversation=conversation)
