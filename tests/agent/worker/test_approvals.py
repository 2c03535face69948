"""A call that asks: the run waits without a worker, and goes on with what a person said."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from agent.models import ServiceTool, ToolCall, ToolGrant
from agent.services.claims import sweep
from tests.agent.events import is_gapless, log_of
from tests.agent.worker.chat import data_of, model_at, types
from tests.fakes.script import Answer, Call

if TYPE_CHECKING:
    from agent.models import Service
    from tests.agent.worker.chat import Chat
    from tests.fakes.anthropic import FakeAnthropic
    from tests.fakes.server import FakeVendor
    from tests.llmconfig.people import Person

TICKET = {"title": "Printer on fire", "customer_id": "C-202", "priority": "low"}


@pytest.fixture(params=["anthropic", "openai"])
def vendor(request: pytest.FixtureRequest) -> FakeVendor:
    fake: FakeVendor = request.getfixturevalue(request.param)
    return fake


def waiting(chat: Chat, target: str | None = None, text: str = "Do it") -> tuple[str, list[dict[str, Any]]]:
    """A run that waits: its id, and its calls."""
    run = chat.ask(text, target)
    assert run["status"] == "waiting_approval"
    calls: list[dict[str, Any]] = run["steps"][-1]["tool_calls"]
    return run["id"], calls


def go_on(chat: Chat, call: dict[str, Any], verb: str = "approve", **body: Any) -> None:
    chat.post(f"/api/tool-calls/{call['id']}/{verb}", body)
    chat.worker.finish()


def said_of(chat: Chat, call: dict[str, Any]) -> dict[str, Any]:
    """The result of a call as the conversation keeps it."""
    parts = [part for message in chat.messages if message["role"] == "tool" for part in message["parts"]]
    found: dict[str, Any] = next(part for part in parts if part["tool_call_id"] == call["id"])
    return found


def test_the_demo_provider_closes_a_ticket_once_it_may(chat: Chat, demo: Service) -> None:
    run_id, (call,) = waiting(chat, text="Close ticket T-1039")
    assert (call["name"], call["status"], call["arguments"]["id"]) == ("close_ticket", "waiting", "T-1039")
    events = log_of(run_id)
    assert is_gapless(events)
    (asked,) = data_of(events, "tool_call.approval_required")
    assert {name: asked[name] for name in ("id", "name", "service", "arguments", "definition_hash", "expires_at")} == {
        "id": call["id"],
        "name": "close_ticket",
        "service": "demo",
        "arguments": call["arguments"],
        "definition_hash": call["definition_hash"],
        "expires_at": call["expires_at"],
    }
    assert events[-1][1:] == ("run.waiting", {"reason": "tool"})
    go_on(chat, call)
    assert chat.run(run_id)["status"] == "completed"
    (events,) = chat.check_told().values()
    assert data_of(events, "tool_call.decided") == [{"id": call["id"], "decision": "approved", "by": "alice"}]
    assert types(events).index("tool_call.decided") < types(events).index("run.resumed") < types(events).index("tool_call.finished")
    assert not said_of(chat, call)["is_error"]


def test_a_denied_call_is_told_to_the_model(chat: Chat, alice: Person, demo: Service, vendor: FakeVendor) -> None:
    calls = (Call("demo__search_tickets", {"query": "printer"}), Call("demo__create_ticket", TICKET))
    vendor.script(Answer(text="I open one.", calls=calls), Answer(text="Then not."))
    run_id, (found, asked) = waiting(chat, model_at(alice, vendor))
    assert (found["status"], asked["status"]) == ("finished", "waiting")
    go_on(chat, asked, "deny")
    assert chat.run(run_id)["status"] == "completed"
    assert "The user denied this call" in said_of(chat, asked)["parts"][0]["text"]
    assert '"count"' in said_of(chat, found)["parts"][0]["text"]
    assert "The user denied this call" in str(vendor.calls[1].body)
    (events,) = chat.check_told().values()
    assert data_of(events, "tool_call.decided") == [{"id": asked["id"], "decision": "denied", "by": "alice"}]


def test_two_questions_of_one_step_wait_for_both_answers(chat: Chat, alice: Person, demo: Service, vendor: FakeVendor) -> None:
    calls = (Call("demo__create_ticket", TICKET), Call("demo__delete_customer", {"id": "C-206"}))
    vendor.script(Answer(calls=calls), Answer(text="Half done."))
    run_id, (create, delete) = waiting(chat, model_at(alice, vendor))
    go_on(chat, create)
    assert chat.run(run_id)["status"] == "waiting_approval"
    go_on(chat, delete, "deny")
    run = chat.run(run_id)
    assert (run["status"], [call["status"] for call in run["steps"][0]["tool_calls"]]) == ("completed", ["finished", "denied"])
    chat.check_told()


def test_a_question_nobody_answers_expires_and_the_run_goes_on(chat: Chat, alice: Person, demo: Service, anthropic: FakeAnthropic) -> None:
    anthropic.script(Answer(calls=(Call("demo__create_ticket", TICKET),)), Answer(text="Nobody was there."))
    run_id, (call,) = waiting(chat, model_at(alice, anthropic))
    ToolCall.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert sweep() == 1
    chat.worker.finish()
    assert chat.run(run_id)["status"] == "completed"
    assert "Nobody decided on this call in time" in said_of(chat, call)["parts"][0]["text"]
    (events,) = chat.check_told().values()
    assert data_of(events, "tool_call.decided") == [{"id": call["id"], "decision": "expired", "by": None}]


@pytest.mark.parametrize(("remember", "asks_again"), [("run", True), ("always", False), (None, True)])
def test_what_is_remembered_is_not_asked_again(
    chat: Chat, alice: Person, demo: Service, anthropic: FakeAnthropic, remember: str | None, asks_again: bool
) -> None:
    create = Answer(calls=(Call("demo__create_ticket", TICKET),))
    anthropic.script(create, *([create] if remember else []), Answer(text="Done."), create, Answer(text="Done again."))
    target = model_at(alice, anthropic)
    run_id, (call,) = waiting(chat, target)
    go_on(chat, call, remember=remember)
    run = chat.run(run_id)
    assert (run["status"], len(run["steps"])) == ("completed", 3 if remember else 2)
    assert chat.ask("Once more", target)["status"] == ("waiting_approval" if asks_again else "completed")


def test_a_definition_that_changed_after_the_approval_is_not_run(
    chat: Chat, alice: Person, demo: Service, anthropic: FakeAnthropic
) -> None:
    anthropic.script(Answer(calls=(Call("demo__create_ticket", TICKET),)), Answer(text="It was blocked."))
    run_id, (call,) = waiting(chat, model_at(alice, anthropic))
    chat.worker.deaf = True
    go_on(chat, call)
    ServiceTool.objects.filter(name="create_ticket").update(state="changed")
    chat.worker.start(chat.worker.rings[-1])
    chat.worker.finish()
    assert chat.run(run_id)["status"] == "completed"
    assert "changed its definition" in said_of(chat, call)["parts"][0]["text"]
    chat.check_told()


def test_a_waiting_run_that_is_cancelled_ends_its_log(chat: Chat, demo: Service) -> None:
    run_id, _ = waiting(chat, text="Close ticket T-1031")
    chat.post(f"/api/runs/{run_id}/cancel")
    (events,) = chat.check_told().values()
    assert types(events)[-2:] == ["run.waiting", "run.cancelled"]
    assert chat.ask("Show ticket T-1031")["status"] == "completed"


def test_a_revoked_grant_asks_again(chat: Chat, alice: Person, demo: Service, anthropic: FakeAnthropic) -> None:
    create = Answer(calls=(Call("demo__create_ticket", TICKET),))
    anthropic.script(create, Answer(text="Done."), create)
    target = model_at(alice, anthropic)
    tool = demo.tools.get(name="create_ticket")
    grant = ToolGrant.objects.create(user=alice.user, service=demo, tool_name=tool.name, definition_hash=tool.definition_hash)
    assert chat.ask("Open one", target)["status"] == "completed"
    assert chat.client.delete(f"/api/user/services/{demo.id}/grants/{grant.id}").status_code == 204
    assert chat.ask("Another", target)["status"] == "waiting_approval"
