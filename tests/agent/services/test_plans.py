"""What a claim reads: history, tools with their verdicts, where a lost or paused run goes on, and why it cannot."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from agent.loop.intents import EndRun, EndStep, EndTool
from agent.models import Conversation, Run, Service, ServiceTool, ToolCall, ToolGrant
from agent.services.journal import commit_intent
from agent.services.plans import Refused, Work, load_work
from llmconfig.llm import Message, Reasoning, Secret, Text, ToolResult, Usage
from llmconfig.services import create_config, create_custom_model, default_target, update_config
from llmconfig.tenancy.models import DataKey
from tests.agent.rows import answered, begun, claimed, conversation_of, decision, queued_run, service_of, tool_call

if TYPE_CHECKING:
    from agent.services.claims import Claim
    from tests.llmconfig.people import Person


@pytest.fixture
def run(alice: Person) -> Run:
    return queued_run(alice, "Hi")


@pytest.fixture
def claim(run: Run) -> Claim:
    return claimed(run)


def work_of(run: Run, last_seq: int = 0) -> Work:
    work = load_work(run.id, last_seq=last_seq)
    assert isinstance(work, Work)
    return work


def refused(run: Run, last_seq: int = 0) -> Refused:
    work = load_work(run.id, last_seq=last_seq)
    assert isinstance(work, Refused)
    return work


def test_a_fresh_run_begins_with_what_was_said(alice: Person, run: Run, claim: Claim) -> None:
    Conversation.objects.update(system_prompt="Be brief.")
    work = work_of(run)
    plan = work.plan
    assert plan.history == (Message("user", (Text("Hi"),)),)
    assert (plan.system, plan.first_step, plan.resumed, plan.pending, plan.discard_after) == ("Be brief.", 1, False, (), None)
    assert plan.target == {"model": f"{run.config_id}/{run.model}"}
    assert plan.deployment.provider == "demo"
    assert work.last_seq == 0


def test_what_was_asked_for_with_the_message_goes_along(run: Run, claim: Claim) -> None:
    plan = work_of(run).plan
    assert (plan.reasoning, plan.output_schema, plan.native_schema) == (None, None, True)
    Run.objects.update(reasoning={"budget_tokens": 4096}, output_schema={"type": "object"})
    plan = work_of(run).plan
    assert (plan.reasoning, plan.output_schema) == (Reasoning(budget_tokens=4096), {"type": "object"})


@pytest.mark.parametrize(("model", "thinks", "native"), [("claude-opus-5", True, True), ("claude-3-5-haiku-20241022", False, False)])
def test_a_model_that_does_not_think_takes_no_notice(alice: Person, model: str, thinks: bool, native: bool) -> None:
    run = vendor_run(alice, name="Mine")
    Run.objects.filter(id=run.id).update(model=model, reasoning={"effort": "high"})
    plan = work_of(run).plan
    assert plan.reasoning == (Reasoning("high") if thinks else None)
    assert plan.native_schema == native


def test_history_holds_every_message_with_its_results(alice: Person, run: Run, claim: Claim) -> None:
    call = tool_call("crm__find", q="x")
    answered(claim, run, text="Look.", calls=(decision(call, service_of(alice, "find")),))
    commit_intent(claim, EndTool(call.id, ToolResult(call.id, (Text("found"),))), seq=8)
    commit_intent(claim, EndStep(1, (ToolResult(call.id, (Text("found"),)),)), seq=9)
    plan = work_of(run, 10).plan
    assert [message.role for message in plan.history] == ["user", "assistant", "tool"]
    assert plan.history[1].tool_calls[0].name == "crm__find"
    assert plan.history[2].parts[0] == ToolResult(call.id, (Text("found"),))
    assert (plan.first_step, plan.pending, plan.resumed, plan.answered) == (2, (), True, "")


def test_a_step_that_was_lost_while_the_model_spoke_begins_again(run: Run, claim: Claim) -> None:
    begun(claim, run, seq=1)
    plan = work_of(run, 7).plan
    assert (plan.first_step, plan.discard_after, plan.pending) == (1, 1, ())


def test_the_last_event_is_the_higher_of_log_and_row(run: Run, claim: Claim) -> None:
    begun(claim, run, seq=9)
    assert work_of(run, 4).last_seq == 9
    assert work_of(run, 12).last_seq == 12


def test_calls_of_an_unfinished_step_are_pending_with_what_became_of_them(alice: Person, run: Run, claim: Claim) -> None:
    service = service_of(alice, "find")
    calls = [tool_call("crm__find", n=number) for number in range(6)]
    answered(claim, run, calls=tuple(decision(call, service) for call in calls))
    states = ["approved", "denied", "expired", "dispatched", "refused", "waiting"]
    for call, state in zip(calls, states, strict=True):
        ToolCall.objects.filter(id=call.id).update(status=state, decided_by=alice.user, is_decision_announced=state == "waiting")
    plan = work_of(run).plan
    assert [item.state for item in plan.pending] == states
    assert [item.call for item in plan.pending] == calls
    assert {item.decided_by for item in plan.pending} == {"alice"}
    assert [item.announced for item in plan.pending] == [False] * 5 + [True]
    assert (plan.first_step, plan.discard_after) == (1, None)


def test_a_finished_call_comes_with_its_result(alice: Person, run: Run, claim: Claim) -> None:
    call = tool_call()
    answered(claim, run, calls=(decision(call, service_of(alice, "find")),))
    result = ToolResult(call.id, (Text("ok"),), True)
    commit_intent(claim, EndTool(call.id, result), seq=8)
    (item,) = work_of(run).plan.pending
    assert (item.state, item.result) == ("finished", result)


def test_messages_that_were_stored_but_never_told_are_told_by_the_next_worker(run: Run, claim: Claim) -> None:
    settled = answered(claim, run, text="Hello", seq=6)
    assert work_of(run, 6).plan.untold == (settled.message,)
    assert work_of(run, 7).plan.untold == ()


def test_an_answer_that_only_lacks_the_end_is_not_asked_for_again(run: Run, claim: Claim) -> None:
    answered(claim, run, text="Hello", seq=6)
    assert work_of(run, 7).plan.answered == "stop"


def test_an_empty_answer_only_lacks_the_end_too(run: Run, claim: Claim) -> None:
    answered(claim, run, seq=6)
    assert work_of(run, 7).plan.answered == "other"


def test_a_failure_that_was_stored_ends_the_run(run: Run, claim: Claim) -> None:
    settled = answered(claim, run, text="Hal", status="failed", finished=None, error_kind="overloaded", error_detail="Busy.", seq=6)
    assert refused(run, 6) == Refused("overloaded", "Busy.", 6, (settled.message,))


def test_a_cancel_that_came_while_nobody_held_the_run_ends_it(run: Run, claim: Claim) -> None:
    Run.objects.update(cancel_requested_at=timezone.now())
    assert refused(run).kind == "cancelled"


def vendor_run(alice: Person, **fields: Any) -> Run:
    config = create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("sk-ant-test-1234567890"), model="m", **fields)
    run = queued_run(alice)
    Run.objects.filter(id=run.id).update(config=config, model="m")
    return run


def test_a_config_that_is_disabled_or_gone_refuses_with_a_sentence(alice: Person) -> None:
    run = vendor_run(alice, name="Mine")
    assert work_of(run).client.model == "m"
    config_id = Run.objects.get(id=run.id).config_id
    update_config(caller=alice.caller, id=config_id, is_enabled=False)
    assert refused(run).kind == "config_disabled"
    assert "“Mine” is disabled" in refused(run).detail
    Run.objects.update(config=None)
    assert refused(run).kind == "config_gone"
    assert refused(run).detail.endswith("Choose another model.")


def test_a_key_that_cannot_be_opened_refuses_with_a_sentence(alice: Person) -> None:
    run = vendor_run(alice)
    DataKey.objects.all().delete()
    assert refused(run).kind == "unreadable"


def test_a_shared_config_that_was_taken_back_is_not_used_any_more(alice: Person, bob: Person) -> None:
    config = create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("sk-ant-test-1234567890"), shared=True)
    run = queued_run(bob)
    Run.objects.filter(id=run.id).update(config=config)
    assert isinstance(load_work(run.id, last_seq=0), Work)
    update_config(caller=alice.caller, id=config.id, shared=False)
    assert refused(run).kind == "config_gone"


def test_options_of_the_config_reach_the_model(alice: Person) -> None:
    run = vendor_run(alice, options={"max_output_tokens": 99})
    assert work_of(run).plan.max_output_tokens == 99


def offers(run: Run) -> dict[str, str]:
    return {tool.tool.name: tool.verdict for tool in work_of(run).plan.tools}


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [("auto", "run"), ("ask", "ask"), ("deny", "refuse")],
)
def test_a_policy_decides_what_a_tool_may_do(alice: Person, run: Run, policy: str, verdict: str) -> None:
    service_of(alice, "find", policy=policy)
    assert offers(run) == {"crm__find": verdict}


@pytest.mark.parametrize(("state", "says"), [("new", "is new"), ("changed", "changed its definition")])
def test_a_definition_nobody_approved_is_refused_with_the_reason(alice: Person, run: Run, state: str, says: str) -> None:
    service_of(alice, "find", policy="auto")
    ServiceTool.objects.update(state=state)
    (tool,) = work_of(run).plan.tools
    assert tool.verdict == "refuse"
    assert says in tool.reason


def test_auto_runs_only_what_reads(alice: Person, run: Run) -> None:
    service_of(alice, "find", policy="auto")
    ServiceTool.objects.update(annotations={"destructiveHint": True})
    assert offers(run) == {"crm__find": "ask"}


def test_only_a_read_only_tool_may_run_twice(alice: Person, run: Run) -> None:
    service_of(alice, "find", policy="auto")
    service_of(alice, "close", slug="desk")
    assert {tool.name: tool.repeatable for tool in work_of(run).plan.tools} == {"find": True, "close": False}


def grant(person: Person, service: Service, *, run: Run | None = None, definition_hash: str = "") -> ToolGrant:
    tool = service.tools.get()
    return ToolGrant.objects.create(
        user=person.user, service=service, tool_name=tool.name, definition_hash=definition_hash or tool.definition_hash, run=run
    )


def test_a_standing_grant_answers_the_question(alice: Person, run: Run) -> None:
    given = grant(alice, service_of(alice, "close"))
    assert offers(run) == {"crm__close": "run"}
    given.delete()
    assert offers(run) == {"crm__close": "ask"}


def test_a_grant_holds_for_its_run_its_definition_and_its_user_alone(alice: Person, bob: Person, run: Run) -> None:
    service = service_of(alice, "close", shared=True)
    grant(alice, service, run=queued_run(alice))
    grant(alice, service, definition_hash="older")
    grant(bob, service)
    assert offers(run) == {"crm__close": "ask"}
    grant(alice, service, run=run)
    assert offers(run) == {"crm__close": "run"}


def test_services_are_chosen_again_at_every_claim(alice: Person, bob: Person, mallory: Person, run: Run) -> None:
    own, shared = service_of(alice, "a", slug="own"), service_of(alice, "b", slug="ours", shared=True)
    service_of(bob, "c", slug="bobs")
    service_of(mallory, "d", slug="foreign", shared=True)
    assert set(offers(run)) == {"own__a", "ours__b"}
    Conversation.objects.filter(id=run.conversation_id).update(services=[str(shared.id)])
    assert set(offers(run)) == {"ours__b"}
    Service.objects.filter(id=shared.id).update(is_enabled=False)
    assert offers(run) == {}
    Conversation.objects.filter(id=run.conversation_id).update(services=[])
    assert offers(run) == {}
    Conversation.objects.filter(id=run.conversation_id).update(services=None)
    assert set(offers(run)) == {"own__a"}
    assert set(work_of(run).endpoints) == {str(own.id)}


def test_a_service_whose_token_cannot_be_opened_is_left_out_and_said_so(alice: Person, run: Run) -> None:
    from llmconfig.tenancy.keys import seal_for
    from llmconfig.tenancy.sealed import Sealed

    service = service_of(alice, "find", auth_type="bearer")
    service.token = Sealed(seal_for(service, "token", Secret("token-of-alice")))
    service.save()
    sealed = work_of(run).endpoints[str(service.id)]
    assert (sealed.is_sealed, sealed.headers) == (True, {})
    DataKey.objects.all().delete()
    plan = work_of(run).plan
    assert plan.tools == ()
    assert "The token of CRM cannot be opened" in plan.notices[0]


def test_the_plan_of_a_long_conversation_costs_no_more_queries(
    alice: Person, django_assert_max_num_queries: Any, run: Run, claim: Claim
) -> None:
    def load() -> int:
        with django_assert_max_num_queries(20) as counted:
            work_of(run, 99)
        return len(counted)

    for number in range(2):
        service_of(alice, "a", "b", slug=f"s{number}")
    answered(claim, run, text="one", step=1)
    short = load()
    for step in range(2, 12):
        answered(claim, run, text="more", step=step)
    for number in range(2, 8):
        service_of(alice, "a", "b", slug=f"s{number}")
    assert load() == short


def test_the_run_before_is_part_of_the_history(alice: Person) -> None:
    conversation = conversation_of(alice)
    first = queued_run(alice, "One", conversation)
    claim = claimed(first)
    answered(claim, first, text="Uno")
    commit_intent(claim, EndRun("completed", "stop"), seq=9)
    plan = work_of(queued_run(alice, "Two", conversation)).plan
    assert [message.text for message in plan.history] == ["One", "Uno", "Two"]
    assert default_target(alice.caller) is not None


def test_an_admins_price_and_limits_go_with_the_run(alice: Person, run: Run, claim: Claim) -> None:
    assert work_of(run).plan.deployment.prices is None
    price: Any = {"input_per_mtok": Decimal(1), "output_per_mtok": Decimal(2)}
    row = create_custom_model(
        caller=alice.caller, config=run.config_id, model=run.model, price=price, context_window=9_000, max_output_tokens=700
    )
    plan = work_of(run).plan
    prices = plan.deployment.prices
    assert prices is not None
    assert (prices.input_per_mtok, prices.output_per_mtok, prices.version[:15]) == (1, 2, f"custom {row.pk.hex[:8]}")
    assert (plan.context_window, plan.output_limit) == (9_000, 700)


def test_what_the_last_request_to_this_model_was_measured_to_take(alice: Person, run: Run, claim: Claim) -> None:
    assert work_of(run).plan.measured is None
    answered(claim, run, text="Hello", usage=Usage(30, 2, 100, 4))
    commit_intent(claim, EndRun("completed"), seq=9)
    conversation = run.conversation
    second = queued_run(alice, "And now?", conversation)
    assert work_of(second).plan.measured == (1, 134)
    Run.objects.filter(id=second.id).update(model="another")
    assert work_of(second).plan.measured is None


def test_the_conversations_policy_goes_with_the_run(run: Run, claim: Claim) -> None:
    assert work_of(run).plan.history_policy == "trim"
    Conversation.objects.update(history_policy="refuse")
    assert work_of(run).plan.history_policy == "refuse"
