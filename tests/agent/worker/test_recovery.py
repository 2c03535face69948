"""Workers that die, stop or meet: every run is seen through once, and its log says one thing."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.utils import timezone

from agent.loop.intents import BeginAttempt, DispatchTools, EndTool
from agent.models import Attempt, Run, ToolCall
from agent.services import live
from agent.services.claims import claim_run, sweep
from agent.services.journal import commit_intent
from agent.services.units import unit_of_work
from agent.stream import RunEvent, append
from agent.worker.runtime import Runtime
from llmconfig.llm import Text, ToolResult
from tests.agent.events import is_gapless, log_of
from tests.agent.rows import answered, decision, deployment_of, tool_call
from tests.agent.worker.chat import data_of, model_at, types
from tests.agent.worker.conftest import wait_until
from tests.fakes.script import Answer

if TYPE_CHECKING:
    from agent.models import Service
    from agent.services.claims import Claim
    from tests.agent.worker.chat import Chat
    from tests.agent.worker.conftest import Worker
    from tests.fakes.anthropic import FakeAnthropic
    from tests.llmconfig.people import Person


def lapse(run_id: str) -> None:
    """As if the worker of this run had not been heard of for too long."""
    past = timezone.now() - timedelta(minutes=1)
    Run.objects.filter(id=run_id).update(lease_expires_at=past, nudged_at=past)


def told(claim: Claim, first: int, *events: tuple[str, dict[str, Any]]) -> None:
    append(live.valkey(), str(claim.run), claim.fence, [RunEvent.of(seq, type, data) for seq, (type, data) in enumerate(events, first)])


@pytest.fixture
def lost(chat: Chat, worker: Worker) -> tuple[Run, Claim]:
    """A run whose worker has told that it began, and was never heard of again."""
    worker.deaf = True
    run = Run.objects.get(id=chat.say("Give me an overview of tickets and customers"))
    with unit_of_work():
        claim = claim_run(run.id)
    assert claim is not None
    told(claim, 1, ("run.started", {"run": str(run.id)}))
    return run, claim


def take_over(chat: Chat, run: Run) -> dict[str, Any]:
    """The sweep finds the run and another worker sees it through."""
    lapse(str(run.id))
    chat.worker.deaf = False
    assert sweep() == 1
    chat.worker.finish()
    return chat.run(str(run.id))


def test_a_worker_lost_while_the_model_spoke(chat: Chat, demo: Service, lost: tuple[Run, Claim]) -> None:
    run, claim = lost
    commit_intent(claim, BeginAttempt(1, str(uuid4()), deployment_of(run)), seq=1)
    told(claim, 2, ("step.started", {"index": 1}), ("attempt.started", {"attempt": "x"}), ("text.delta", {"text": "Lost wor"}))
    assert take_over(chat, run)["status"] == "completed"
    (events,) = chat.check_told().values()
    assert types(events)[4:6] == ["run.resumed", "step.restarted"]
    assert data_of(events, "step.restarted") == [{"index": 1, "discard_after": 1}]
    assert [attempt.status for attempt in Attempt.objects.order_by("created_at")] == ["lost", "completed", "completed"]


def test_a_worker_lost_before_its_last_words_reached_the_log(chat: Chat, demo: Service, lost: tuple[Run, Claim]) -> None:
    """Five events were given out, one was written: no reader has seen the others, and the numbers go on without a hole."""
    run, claim = lost
    commit_intent(claim, BeginAttempt(1, str(uuid4()), deployment_of(run)), seq=5)
    assert take_over(chat, run)["status"] == "completed"
    (events,) = chat.check_told().values()
    assert types(events)[1:6] == ["run.event_lost"] * 4 + ["run.resumed"]


def test_a_log_that_was_lost_with_valkey_goes_on_above_it(chat: Chat, demo: Service, lost: tuple[Run, Claim]) -> None:
    run, claim = lost
    commit_intent(claim, BeginAttempt(1, str(uuid4()), deployment_of(run)), seq=5)
    live.valkey().flushall()
    assert take_over(chat, run)["status"] == "completed"
    events = log_of(run.id)
    assert is_gapless(events, after=5)
    assert events[-1][1] == "run.completed"


def test_a_worker_lost_after_the_answer_was_stored(chat: Chat, lost: tuple[Run, Claim]) -> None:
    run, claim = lost
    answered(claim, run, text="All of it", seq=1)
    shown = take_over(chat, run)
    assert (shown["status"], shown["finish_reason"], len(shown["steps"])) == ("completed", "stop", 1)
    (events,) = chat.check_told().values()
    assert types(events) == ["run.started", "run.resumed", "message.completed", "run.completed"]
    assert chat.texts == ["All of it"]


def test_a_worker_lost_after_a_failure_was_stored(chat: Chat, lost: tuple[Run, Claim]) -> None:
    run, claim = lost
    answered(claim, run, text="Hal", status="failed", finished=None, error_kind="overloaded", error_detail="Busy.", seq=1)
    assert take_over(chat, run)["error"] == {"kind": "overloaded", "detail": "Busy."}
    (events,) = chat.check_told().values()
    assert types(events) == ["run.started", "message.completed", "run.failed"]


def test_a_worker_lost_before_its_calls_left(chat: Chat, demo: Service, lost: tuple[Run, Claim]) -> None:
    run, claim = lost
    search = tool_call("demo__search_tickets", status="open")
    answered(claim, run, text="Looking.", calls=(decision(search, demo),), seq=1)
    shown = take_over(chat, run)
    assert (shown["status"], shown["steps"][0]["tool_calls"][0]["status"]) == ("completed", "finished")
    chat.check_told()


def test_a_refused_call_whose_worker_was_lost_is_still_refused(chat: Chat, demo: Service, lost: tuple[Run, Claim]) -> None:
    run, claim = lost
    malformed = tool_call("demo__close_ticket")
    answered(claim, run, calls=(decision(malformed, demo, "refused"),), seq=1)
    shown = take_over(chat, run)
    assert (shown["status"], shown["steps"][0]["tool_calls"][0]["status"]) == ("completed", "refused")
    assert "This call was refused" in chat.messages[2]["parts"][0]["parts"][0]["text"]
    chat.check_told()


def test_a_reading_call_lost_in_flight_is_asked_again(chat: Chat, demo: Service, lost: tuple[Run, Claim]) -> None:
    run, claim = lost
    search = tool_call("demo__search_tickets", status="open")
    answered(claim, run, calls=(decision(search, demo),), seq=1)
    commit_intent(claim, DispatchTools(1, (search.id,)), seq=1)
    assert take_over(chat, run)["status"] == "completed"
    chat.check_told()


@pytest.mark.parametrize(("outcome", "says"), [("ran", "its result was lost"), ("run_again", "Harbour"), ("skip", "denied")])
def test_a_writing_call_lost_in_flight_asks_a_person(chat: Chat, demo: Service, lost: tuple[Run, Claim], outcome: str, says: str) -> None:
    run, claim = lost
    calls = [tool_call("demo__get_customer", id="C-201"), tool_call("demo__search_tickets")]
    demo.tools.filter(name="get_customer").update(read_only=False, policy="ask")
    answered(claim, run, calls=tuple(decision(call, demo) for call in calls), seq=1)
    commit_intent(claim, DispatchTools(1, tuple(call.id for call in calls)), seq=1)
    commit_intent(claim, EndTool(calls[1].id, ToolResult(calls[1].id, (Text("kept"),))), seq=1)
    shown = take_over(chat, run)
    assert shown["status"] == "waiting_approval"
    assert log_of(run.id)[-1][1:] == ("run.waiting", {"reason": "unknown_outcome"})
    assert [call["status"] for call in shown["steps"][0]["tool_calls"]] == ["unknown", "finished"]
    chat.post(f"/api/tool-calls/{calls[0].id}/resolve", {"outcome": outcome})
    chat.worker.finish()
    assert chat.run(str(run.id))["status"] == "completed"
    results = [part["parts"][0]["text"] for part in chat.messages[2]["parts"]]
    assert says in results[0]
    assert results[1] == "kept"
    chat.check_told()


def test_ten_rings_at_once_make_one_run(chat: Chat, worker: Worker, demo: Service) -> None:
    worker.deaf = True
    run_id = chat.say("Give me an overview of tickets and customers")
    for _ in range(10):
        worker.start(worker.rings[0])
    worker.finish()
    assert chat.run(run_id)["status"] == "completed"
    (events,) = chat.check_told().values()
    assert types(events).count("run.started") == 1
    assert Run.objects.get(id=run_id).fence == 1
    assert Attempt.objects.count() == 2


def hanging(chat: Chat, alice: Person, anthropic: FakeAnthropic) -> str:
    """A run in the middle of its answer."""
    anthropic.script(Answer(text="one two three", hang_after=5))
    run_id = chat.say("Count", model_at(alice, anthropic))
    wait_until(lambda: "text.delta" in types(log_of(run_id)))
    return run_id


def test_a_worker_that_stops_gives_its_runs_back(chat: Chat, worker: Worker, alice: Person, anthropic: FakeAnthropic) -> None:
    run_id = hanging(chat, alice, anthropic)
    worker.deaf = True
    began = time.monotonic()
    Runtime.stop_if_started("shutdown")
    worker.finish()
    assert time.monotonic() - began < 5
    assert chat.run(run_id)["status"] == "queued"
    assert [str(ring) for ring in worker.rings] == [run_id] * 2
    anthropic.script(Answer(text="one two three four"))
    worker.start(worker.rings[-1])
    worker.finish()
    assert chat.run(run_id)["status"] == "completed"
    (events,) = chat.check_told().values()
    assert chat.texts == ["one two three four"]
    assert data_of(events, "step.restarted")[0]["discard_after"] == 1


def test_a_worker_that_stops_before_a_run_began_gives_it_back_too(
    chat: Chat, worker: Worker, alice: Person, anthropic: FakeAnthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.deaf = True
    run_id = chat.say("Hello", model_at(alice, anthropic))
    runtime = Runtime.get()
    runtime.is_stopping = True
    worker.start(worker.rings[0])
    worker.finish()
    assert chat.run(run_id)["status"] == "queued"
    assert worker.rings == [worker.rings[0]] * 2


def test_a_worker_that_was_thought_lost_says_nothing_more(chat: Chat, worker: Worker, alice: Person, anthropic: FakeAnthropic) -> None:
    run_id = hanging(chat, alice, anthropic)
    lapse(run_id)
    anthropic.script(Answer(text="one two three four"))
    worker.start(worker.rings[0])
    worker.finish()
    assert anthropic.calls[0].outcome == "left"
    assert chat.run(run_id)["status"] == "completed"
    assert Run.objects.get(id=run_id).fence == 2
    chat.check_told()
    assert chat.texts == ["one two three four"]


def test_a_run_that_was_ended_elsewhere_ends_quietly(chat: Chat, worker: Worker, alice: Person, anthropic: FakeAnthropic) -> None:
    anthropic.script(Answer(text="one two three", pace=0.05))
    run_id = chat.say("Count", model_at(alice, anthropic))
    wait_until(lambda: "text.delta" in types(log_of(run_id)))
    Run.objects.filter(id=run_id).update(status="failed", fence=9)
    worker.finish()
    assert chat.run(run_id)["status"] == "failed"
    assert "run.completed" not in types(log_of(run_id))
    assert chat.texts == []


def test_a_message_fetched_before_the_stop_goes_back(chat: Chat, worker: Worker) -> None:
    from agent import tasks

    worker.deaf = True
    run_id = chat.say("Hello")
    tasks._shutting_down.set()
    try:
        tasks.run_conversation(run_id)
    finally:
        tasks._shutting_down.clear()
    assert [str(ring) for ring in worker.rings] == [run_id] * 2
    assert chat.run(run_id)["status"] == "queued"
    tasks.run_conversation(run_id)
    assert chat.run(run_id)["status"] == "completed"


def test_a_call_is_dispatched_once_by_two_that_think_they_hold_it(chat: Chat, demo: Service, lost: tuple[Run, Claim]) -> None:
    """The fence refuses the first worker's dispatch once the second has the run."""
    from agent.loop.intents import FenceLost

    run, claim = lost
    search = tool_call("demo__search_tickets")
    answered(claim, run, calls=(decision(search, demo),), seq=1)
    assert take_over(chat, run)["status"] == "completed"
    with pytest.raises(FenceLost):
        commit_intent(claim, DispatchTools(1, (search.id,)), seq=2)
    assert ToolCall.objects.get(id=search.id).status == "finished"
