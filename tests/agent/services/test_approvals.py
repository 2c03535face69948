"""A person's answers: single use, bound to what was asked, and in any order with the worker's pause."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from agent.loop.intents import DispatchTools, WaitForPerson
from agent.models import Run, ServiceTool, ToolCall, ToolGrant
from agent.services import doorbell
from agent.services.approvals import decide_call, resolve_call
from agent.services.claims import sweep
from agent.services.journal import commit_intent
from agent.services.runs import cancel_run
from llmconfig.tenancy.errors import Conflict
from tests.agent.rows import answered, decision, service_of, tool_call

if TYPE_CHECKING:
    from agent.services.claims import Claim
    from tests.llmconfig.people import Person


@pytest.fixture
def calls(alice: Person, run: Run, claim: Claim) -> list[ToolCall]:
    """Two questions of a run that its worker has not paused yet."""
    service = service_of(alice, "close", "delete")
    asked = [tool_call("crm__close", id="T-1"), tool_call("crm__delete", id="C-2")]
    answered(claim, run, calls=tuple(decision(call, service, "waiting") for call in asked))
    return list(ToolCall.objects.all())


@pytest.fixture
def paused(claim: Claim, calls: list[ToolCall]) -> list[ToolCall]:
    commit_intent(claim, WaitForPerson("tool"), seq=9)
    return calls


def status_of(run: Run) -> str:
    return Run.objects.get(id=run.id).status


def approve(person: Person, call: ToolCall, **fields: Any) -> ToolCall:
    return decide_call(caller=person.caller, call_id=call.id, approve=True, **fields)


def deny(person: Person, call: ToolCall) -> ToolCall:
    return decide_call(caller=person.caller, call_id=call.id, approve=False)


def test_the_run_goes_on_once_every_question_has_its_answer(
    alice: Person, run: Run, paused: list[ToolCall], rung: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    decided = approve(alice, paused[0])
    assert (decided.status, decided.decided_by, decided.is_decision_announced) == ("approved", alice.user, False)
    assert decided.decided_at is not None
    assert status_of(run) == "waiting_approval"
    with django_capture_on_commit_callbacks(execute=True):
        assert deny(alice, paused[1]).status == "denied"
    assert status_of(run) == "queued"
    assert rung == [str(run.id)]


def test_a_decision_before_the_worker_paused_is_not_lost(
    alice: Person, run: Run, claim: Claim, calls: list[ToolCall], rung: list[str]
) -> None:
    for call in calls:
        approve(alice, call)
    assert status_of(run) == "running"
    commit_intent(claim, WaitForPerson("tool"), seq=9)
    assert status_of(run) == "queued"


def test_an_answer_is_used_once(alice: Person, paused: list[ToolCall]) -> None:
    approve(alice, paused[0])
    for again in (approve, deny):
        with pytest.raises(Conflict, match="already approved") as refused:
            again(alice, paused[0])
        assert refused.value.code == "already_decided"


@pytest.mark.django_db(transaction=True)
def test_of_two_answers_at_once_one_counts(alice: Person, paused: list[ToolCall], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "_send", lambda run_id: None)
    barrier = threading.Barrier(2)

    def answer(yes: bool) -> str:
        from django.db import connection

        barrier.wait()
        try:
            return decide_call(caller=alice.caller, call_id=paused[0].id, approve=yes).status
        except Conflict as refused:
            return refused.code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(answer, (True, False)))
    assert outcomes[0] == "already_decided"
    assert outcomes[1] == ToolCall.objects.get(id=paused[0].id).status


def test_an_expired_question_takes_no_answer(alice: Person, run: Run, paused: list[ToolCall], rung: list[str]) -> None:
    ToolCall.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(Conflict) as refused:
        approve(alice, paused[0])
    assert refused.value.code == "approval_expired"
    sweep()
    with pytest.raises(Conflict, match="already expired"):
        approve(alice, paused[0])
    assert status_of(run) == "queued"


def test_the_question_of_a_cancelled_run_takes_no_answer(alice: Person, run: Run, paused: list[ToolCall], valkey: str) -> None:
    cancel_run(caller=alice.caller, run_id=run.id)
    with pytest.raises(Conflict):
        approve(alice, paused[0])


@pytest.mark.parametrize(
    "change",
    [{"definition_hash": "other"}, {"state": "changed"}, {"state": "new"}],
)
def test_a_changed_definition_cannot_be_approved_but_denied(alice: Person, paused: list[ToolCall], change: dict[str, str]) -> None:
    ServiceTool.objects.update(**change)
    with pytest.raises(Conflict) as refused:
        approve(alice, paused[0])
    assert refused.value.code == "definition_changed"
    assert deny(alice, paused[0]).status == "denied"


def test_a_tool_that_is_gone_cannot_be_approved(alice: Person, paused: list[ToolCall]) -> None:
    ServiceTool.objects.all().delete()
    with pytest.raises(Conflict, match="Review it under Settings, Services"):
        approve(alice, paused[0])


def test_edited_arguments_are_not_what_was_asked(alice: Person, paused: list[ToolCall]) -> None:
    ToolCall.objects.filter(id=paused[0].id).update(arguments={"id": "T-2"})
    with pytest.raises(Conflict) as refused:
        approve(alice, paused[0])
    assert refused.value.code == "edited"


@pytest.mark.parametrize(("remember", "for_run"), [("run", True), ("always", False)])
def test_remembering_makes_a_grant_of_this_definition(
    alice: Person, run: Run, paused: list[ToolCall], remember: str, for_run: bool
) -> None:
    approve(alice, paused[0], remember=remember)
    grant = ToolGrant.objects.get()
    assert (grant.user, grant.service_id, grant.tool_name, grant.definition_hash) == (
        alice.user,
        paused[0].service_id,
        "close",
        paused[0].definition_hash,
    )
    assert (grant.run_id == run.id) is for_run


def test_neither_a_plain_approval_nor_a_denial_makes_a_grant(alice: Person, paused: list[ToolCall]) -> None:
    approve(alice, paused[0])
    decide_call(caller=alice.caller, call_id=paused[1].id, approve=False, remember="always")
    assert not ToolGrant.objects.exists()


def test_nobody_else_can_answer(alice: Person, bob: Person, mallory: Person, paused: list[ToolCall]) -> None:
    for other in (bob, mallory):
        with pytest.raises(ToolCall.DoesNotExist):
            approve(other, paused[0])
        with pytest.raises(ToolCall.DoesNotExist):
            resolve_call(caller=other.caller, call_id=paused[0].id, outcome="ran")


@pytest.fixture
def lost(run: Run, claim: Claim, calls: list[ToolCall]) -> ToolCall:
    """A call that was in flight when its worker was lost; the other one is settled."""
    ToolCall.objects.filter(id=calls[1].id).update(status="denied")
    ToolCall.objects.filter(id=calls[0].id).update(status="approved")
    commit_intent(claim, DispatchTools(1, (str(calls[0].id),)), seq=8)
    commit_intent(claim, WaitForPerson("unknown_outcome"), seq=9)
    return ToolCall.objects.get(id=calls[0].id)


@pytest.mark.parametrize(("outcome", "status"), [("ran", "finished"), ("run_again", "approved"), ("skip", "denied")])
def test_an_unknown_outcome_is_settled_by_a_person(
    alice: Person, run: Run, lost: ToolCall, rung: list[str], outcome: Any, status: str
) -> None:
    assert lost.status == "unknown"
    settled = resolve_call(caller=alice.caller, call_id=lost.id, outcome=outcome)
    assert (settled.status, settled.decided_by) == (status, alice.user)
    assert (settled.result is not None) == (outcome == "ran")
    assert status_of(run) == "queued"
    with pytest.raises(Conflict, match="not in doubt"):
        resolve_call(caller=alice.caller, call_id=lost.id, outcome="ran")


def test_a_call_whose_outcome_is_known_or_whose_run_is_over_cannot_be_settled(alice: Person, run: Run, lost: ToolCall) -> None:
    Run.objects.update(status="failed")
    with pytest.raises(Conflict):
        resolve_call(caller=alice.caller, call_id=lost.id, outcome="run_again")
