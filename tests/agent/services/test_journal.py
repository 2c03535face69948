"""The journal: what each intent leaves in the rows, and that a lost fence leaves nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from agent.loop.intents import (
    BeginAttempt,
    BlockTool,
    DispatchTools,
    EndRun,
    EndStep,
    EndTool,
    FenceLost,
    FindLarger,
    NoteTools,
    ReleaseRun,
    WaitForPerson,
)
from agent.models import Attempt, Message, Run, Service, Step, ToolCall
from agent.services.calls import canonical_hash
from agent.services.journal import commit_intent
from agent.services.presentation import message_json, money
from llmconfig.llm import Message as NeutralMessage
from llmconfig.llm import ProviderData, Text, Thinking, TokenPrices, ToolResult, Usage
from llmconfig.models import UserLLMConfig
from llmconfig.services import create_custom_model
from tests.agent.rows import STOP, answered, begun, claimed, decision, definition, deployment_of, service_of, tool_call

if TYPE_CHECKING:
    from agent.services.claims import Claim
    from tests.llmconfig.people import Person


@pytest.fixture
def asked(alice: Person, run: Run, claim: Claim) -> list[ToolCall]:
    """Two calls of step 1: one that may run, one that waits."""
    service = service_of(alice, "find", "close")
    find, close = tool_call("crm__find", q="x"), tool_call("crm__close", id=7)
    answered(claim, run, text="Let me look.", calls=(decision(find, service), decision(close, service, "waiting")))
    return list(ToolCall.objects.all())


def test_begin_attempt_stands_before_anything_is_sent(run: Run, claim: Claim) -> None:
    attempt = begun(claim, run, seq=1)
    row = Attempt.objects.get()
    assert (str(row.id), row.status, row.provider, row.model) == (attempt, "dispatched", "demo", run.model)
    assert row.config_id == run.config_id
    assert (row.input_tokens, row.cost, row.evidence) == (None, None, "unknown")
    step = Step.objects.get()
    assert (step.index, step.first_seq, step.is_finished) == (1, 1, False)


def test_a_second_attempt_of_a_step_calls_the_first_one_lost(run: Run, claim: Claim) -> None:
    first, second = begun(claim, run, seq=1), begun(claim, run, seq=9)
    assert {str(row.id): row.status for row in Attempt.objects.all()} == {first: "lost", second: "dispatched"}
    assert Step.objects.get().first_seq == 1


def test_a_config_deleted_under_its_run_leaves_attempts_without_one(run: Run, claim: Claim) -> None:
    begun(claim, run)
    UserLLMConfig.objects.all().delete()
    begun(claim, run, step=2)
    assert [row.config_id for row in Attempt.objects.all()] == [None, None]
    connection.check_constraints()


def test_a_service_deleted_under_its_run_leaves_calls_without_one(alice: Person, run: Run, claim: Claim) -> None:
    gone, there = service_of(alice, "find"), service_of(alice, "find", slug="shop")
    calls = (decision(tool_call("crm__find"), gone), decision(tool_call("shop__find"), there))
    Service.objects.filter(id=gone.id).delete()
    answered(claim, run, calls=calls)
    assert [(row.service_id, row.service_slug) for row in ToolCall.objects.all()] == [(None, "crm"), (there.id, "shop")]
    connection.check_constraints()


def test_every_commit_notes_the_last_event_and_prolongs_the_lease(run: Run, claim: Claim) -> None:
    Run.objects.filter(id=run.id).update(lease_expires_at=timezone.now())
    begun(claim, run, seq=41)
    run.refresh_from_db()
    assert run.event_seq == 41
    assert run.lease_expires_at is not None
    assert run.lease_expires_at > timezone.now() + timedelta(seconds=10)


def test_end_attempt_stores_answer_usage_and_cost(run: Run, claim: Claim) -> None:
    settled = answered(claim, run, text="Hello", seq=6)
    row = Attempt.objects.get()
    assert (row.status, row.latency_ms, row.ttft_ms) == ("completed", 10, 4)
    assert (row.input_tokens, row.output_tokens, row.reasoning_tokens, row.cost, row.evidence) == (3, 2, 0, 0, "measured")
    message = Message.objects.get(role="assistant")
    assert (message.position, message.after_seq, message.status, message.finish_reason, message.finish_raw) == (
        2,
        6,
        "completed",
        "stop",
        "end_turn",
    )
    assert settled.message == message_json(message)
    assert (settled.cost, settled.evidence, settled.expires_at) == ("0", "measured", None)
    assert Step.objects.get().is_finished


def test_an_unknown_cost_is_null_and_never_nothing(run: Run, claim: Claim) -> None:
    settled = answered(claim, run, text="Hello", deployment=deployment_of(run, "a-vendor-nobody-knows"), usage=Usage())
    row = Attempt.objects.get()
    assert settled.cost is None
    assert (row.cost, row.input_tokens, row.output_tokens, row.cache_read_tokens) == (None, None, None, None)
    assert row.evidence == "unknown"


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_the_cost_of_what_did_not_end_is_an_estimate(run: Run, claim: Claim, status: str) -> None:
    """Its provider never said what it came to."""
    settled = answered(claim, run, text="Half a", status=status, finished=None, error_kind=status)
    row = Attempt.objects.get()
    assert (row.cost, row.evidence, settled.evidence) == (0, "estimated", "estimated")


def test_a_partial_answer_is_kept_and_says_so(run: Run, claim: Claim) -> None:
    answered(claim, run, text="Half a", status="cancelled", finished=None, error_kind="cancelled")
    message = Message.objects.get(role="assistant")
    assert (message.status, message.finish_reason, message.finish_raw) == ("partial", "other", "cancelled")
    assert Attempt.objects.get().error_kind == "cancelled"
    assert not Step.objects.get().is_finished


def test_a_failure_without_words_leaves_no_message(run: Run, claim: Claim) -> None:
    settled = answered(claim, run, status="failed", error_kind="overloaded", error_detail="x" * 3000)
    assert settled.message is None
    assert not Message.objects.filter(role="assistant").exists()
    assert len(Attempt.objects.get().error_detail) == 2000


def test_what_the_provider_sealed_is_stored_and_not_shown(run: Run, claim: Claim) -> None:
    thought = Thinking("hm", ProviderData("demo", "m", {"signature": "sealed"}))
    settled = answered(claim, run, message=NeutralMessage("assistant", (thought, Text("Hello"))))
    assert Message.objects.get(role="assistant").parts[0]["provider_data"]["data"] == {"signature": "sealed"}
    assert settled.message["parts"][0] == {"type": "thinking", "text": "hm"}


def test_calls_are_rows_with_hashes_and_a_time_to_decide(asked: list[ToolCall]) -> None:
    find, close = asked
    assert (find.status, find.expires_at, find.service_slug, find.name, find.position) == ("requested", None, "crm", "find", 0)
    assert (close.status, close.position, close.arguments) == ("waiting", 1, {"id": 7})
    assert close.expires_at is not None
    assert close.arguments_hash == canonical_hash({"id": 7})
    assert close.definition_hash == close.service.tools.get(name="close").definition_hash  # type: ignore[union-attr]
    assert not Step.objects.get().is_finished


def test_a_tool_the_model_made_up_is_kept_within_its_columns(run: Run, claim: Claim) -> None:
    made_up = tool_call("x" * 60 + "__" + "y" * 300)
    answered(claim, run, calls=(decision(made_up, None, "refused"),))
    row = ToolCall.objects.get()
    assert (row.service_id, row.status, len(row.service_slug), len(row.name)) == (None, "refused", 32, 128)


def test_dispatched_calls_are_marked_before_they_leave(claim: Claim, asked: list[ToolCall]) -> None:
    commit_intent(claim, DispatchTools(1, (str(asked[0].id),)), seq=9)
    assert ToolCall.objects.get(id=asked[0].id).status == "dispatched"


def test_a_call_that_is_not_ready_is_never_dispatched(claim: Claim, asked: list[ToolCall]) -> None:
    with pytest.raises(FenceLost):
        commit_intent(claim, DispatchTools(1, tuple(str(call.id) for call in asked)), seq=9)
    assert {call.status for call in ToolCall.objects.all()} == {"requested", "waiting"}


def test_a_result_is_stored_with_its_call(claim: Claim, asked: list[ToolCall]) -> None:
    call = str(asked[0].id)
    commit_intent(claim, EndTool(call, ToolResult(call, (Text("ok"),)), latency_ms=12), seq=9)
    row = ToolCall.objects.get(id=call)
    assert (row.status, row.is_error, row.latency_ms) == ("finished", False, 12)
    assert row.result == {"type": "tool_result", "tool_call_id": call, "parts": [{"type": "text", "text": "ok"}], "is_error": False}


@pytest.mark.parametrize(("before", "after"), [("requested", "refused"), ("denied", "denied"), ("expired", "expired")])
def test_a_refusal_keeps_how_it_came_about(claim: Claim, asked: list[ToolCall], before: str, after: str) -> None:
    call = str(asked[0].id)
    ToolCall.objects.filter(id=call).update(status=before, is_decision_announced=False)
    commit_intent(claim, EndTool(call, ToolResult(call, (Text("no"),), True), "refused"), seq=9)
    row = ToolCall.objects.get(id=call)
    assert (row.status, row.is_error, row.is_decision_announced) == (after, True, True)


def test_a_step_ends_in_one_tool_message_in_call_order(claim: Claim, asked: list[ToolCall]) -> None:
    results = tuple(ToolResult(str(call.id), (Text(call.name),)) for call in asked)
    told = commit_intent(claim, EndStep(1, results), seq=12)
    message = Message.objects.get(role="tool")
    assert told == message_json(message)
    assert [part["tool_call_id"] for part in told["parts"]] == [str(call.id) for call in asked]
    assert (message.position, message.after_seq) == (3, 12)
    assert Step.objects.get().is_finished


def test_a_waiting_run_lets_go_of_its_lease(run: Run, claim: Claim, asked: list[ToolCall]) -> None:
    commit_intent(claim, WaitForPerson("tool"), seq=9)
    run.refresh_from_db()
    assert (run.status, run.lease_owner, run.lease_expires_at) == ("waiting_approval", "", None)


def test_a_person_who_was_quicker_lets_the_run_go_on_at_once(
    run: Run, claim: Claim, asked: list[ToolCall], rung: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    ToolCall.objects.filter(id=asked[1].id).update(status="approved")
    with django_capture_on_commit_callbacks(execute=True):
        commit_intent(claim, WaitForPerson("tool"), seq=9)
    run.refresh_from_db()
    assert run.status == "queued"
    assert rung == [str(run.id)]


def test_a_call_lost_in_flight_becomes_a_question(run: Run, claim: Claim, asked: list[ToolCall]) -> None:
    ToolCall.objects.filter(id=asked[0].id).update(status="dispatched")
    ToolCall.objects.filter(id=asked[1].id).update(status="finished")
    commit_intent(claim, WaitForPerson("unknown_outcome"), seq=9)
    assert ToolCall.objects.get(id=asked[0].id).status == "unknown"
    run.refresh_from_db()
    assert run.status == "waiting_approval"


def test_the_end_of_a_run_closes_what_is_open(run: Run, claim: Claim, asked: list[ToolCall]) -> None:
    ToolCall.objects.filter(id=asked[0].id).update(status="dispatched")
    commit_intent(claim, EndRun("failed", error_kind="run_timeout", error_detail="x" * 3000), seq=9)
    run.refresh_from_db()
    assert (run.status, run.error_kind, len(run.error_detail), run.lease_owner) == ("failed", "run_timeout", 2000, "")
    assert run.finished_at is not None
    assert [call.status for call in ToolCall.objects.all()] == ["unknown", "expired"]


def test_a_released_run_is_queued_and_rung_for(run: Run, claim: Claim, rung: list[str], django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        commit_intent(claim, ReleaseRun(), seq=3)
    run.refresh_from_db()
    assert (run.status, run.lease_expires_at, run.fence) == ("queued", None, 1)
    assert rung == [str(run.id)]
    assert claimed(run).fence == 2


INTENTS = [
    lambda run: BeginAttempt(1, str(uuid4()), deployment_of(run)),
    lambda run: DispatchTools(1, ()),
    lambda run: EndTool(str(uuid4()), ToolResult("x", ())),
    lambda run: EndStep(1, ()),
    lambda run: WaitForPerson("tool"),
    lambda run: EndRun("completed"),
    lambda run: ReleaseRun(),
]


@pytest.mark.parametrize("make", INTENTS)
def test_a_stale_fence_writes_nothing(run: Run, claim: Claim, make: Any) -> None:
    Run.objects.filter(id=run.id).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    claimed(run)
    before = Run.objects.filter(id=run.id).values().get()
    with pytest.raises(FenceLost):
        commit_intent(claim, make(run), seq=99)
    assert Run.objects.filter(id=run.id).values().get() == before
    assert Message.objects.count() == 1
    assert Attempt.objects.count() == 0


def test_an_answer_of_a_lost_run_is_not_kept(run: Run, claim: Claim) -> None:
    begun(claim, run)
    Run.objects.filter(id=run.id).update(status="cancelled")
    with pytest.raises(FenceLost):
        answered(claim, run, text="too late")
    assert Message.objects.count() == 1


def test_equal_arguments_have_equal_hashes() -> None:
    assert canonical_hash({"a": 1, "b": [1e22, {"c": 2.0}]}) == canonical_hash({"b": [10**22, {"c": 2}], "a": 1.0})
    assert canonical_hash({"a": 1}) != canonical_hash({"a": "1"})
    assert canonical_hash({"a": 0.5}) != canonical_hash({"a": 0})


@pytest.mark.django_db
def test_arguments_come_back_from_the_database_with_the_hash_they_had(run: Run, claim: Claim) -> None:
    wild = tool_call("crm__find", **{"big": 1e22, "small": 1e-7, "whole": 3.0, "deep": {"list": [1.5, -0.0, "é"]}})
    answered(claim, run, calls=(decision(wild, None, "refused"),))
    row = ToolCall.objects.get()
    assert canonical_hash(row.arguments) == row.arguments_hash


def test_the_stop_reason_of_the_wire_is_kept_short(run: Run, claim: Claim) -> None:
    answered(claim, run, text="hi", finished=type(STOP)(STOP.reason, "z" * 100))
    assert Message.objects.get(role="assistant").finish_raw == "z" * 60


def test_a_tool_that_became_another_is_blocked_while_the_run_goes_on(alice: Person, run: Run, claim: Claim) -> None:
    service = service_of(alice, "find")
    commit_intent(claim, BlockTool(str(service.id), definition("find", description="Sends your mail away.")), seq=7)
    assert service.tools.get().state == "changed"
    run.refresh_from_db()
    assert (run.status, run.event_seq) == ("running", 7)


def test_a_tool_that_a_run_met_first_waits_for_approval(alice: Person, run: Run, claim: Claim) -> None:
    service = service_of(alice, "find")
    commit_intent(claim, NoteTools(str(service.id), (definition("steal"),)), seq=7)
    assert dict(service.tools.values_list("name", "state")) == {"find": "approved", "steal": "new"}


def test_an_admins_price_is_what_an_attempt_costs(run: Run, claim: Claim) -> None:
    prices = TokenPrices(Decimal("1.5"), Decimal(6), Decimal("0.15"), currency="EUR", version="custom 12345678@2026-11-25T12:00:00Z")
    priced = replace(deployment_of(run), prices=prices)
    settled = answered(claim, run, text="Hello", deployment=priced, usage=Usage(1_000, 100, 10_000, 200))
    row = Attempt.objects.get()
    expected = (1_000 * Decimal("1.5") + 100 * 6 + 10_000 * Decimal("0.15") + 200 * Decimal("1.5")) / 1_000_000
    assert (row.cost, row.currency, row.evidence) == (expected, "EUR", "measured")
    assert row.price_version == "custom 12345678@2026-11-25T12:00:00Z"
    assert (settled.cost, settled.currency) == (money(expected), "EUR")


def test_a_longer_window_is_looked_for_among_the_owners_models(alice: Person, run: Run, claim: Claim) -> None:
    create_custom_model(caller=alice.caller, config=run.config_id, model="demo-1", context_window=100_000)
    assert commit_intent(claim, FindLarger(50_000), seq=2) == ("demo-1 (Demo provider)",)
    assert commit_intent(claim, FindLarger(100_000), seq=3) == ()
    alice.user.memberships.all().delete()
    assert commit_intent(claim, FindLarger(50_000), seq=4) == ()
