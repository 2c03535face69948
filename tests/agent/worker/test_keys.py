"""Keys under runs: opened once for a client, replaced while one streams, marked when they are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from agent.models import Service, ToolCall
from agent.worker.runtime import Runtime
from llmconfig.llm import Secret
from llmconfig.services import USES, config_for, update_config
from llmconfig.tenancy.audit import AuditEvent
from llmconfig.tenancy.keys import seal_for
from llmconfig.tenancy.models import DataKey
from llmconfig.tenancy.sealed import Sealed
from tests.agent.worker.chat import Chat, model_at
from tests.agent.worker.conftest import wait_until
from tests.fakes.script import Answer, Call, Failure

if TYPE_CHECKING:
    from tests.agent.worker.conftest import Worker
    from tests.fakes.anthropic import FakeAnthropic
    from tests.llmconfig.people import Person

KEY, NEXT = "sk-ant-first-0123-aaaa", "sk-ant-second-0123-bbbb"


def revealed(action: str = "config.revealed") -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action).order_by("seq"))


def keys_seen(fake: FakeAnthropic) -> list[str]:
    return [call.headers["Authorization"].removeprefix("Bearer ") for call in fake.calls]


def config_of(alice: Person, model: str) -> Any:
    return config_for(alice.caller, UUID(model.partition("/")[0]))


def held() -> frozenset[Any]:
    return Runtime.get().clients.held


def test_a_key_is_opened_once_for_a_client_and_each_use_is_counted(chat: Chat, alice: Person, anthropic: FakeAnthropic) -> None:
    model = model_at(alice, anthropic, key=KEY)
    runs = [chat.ask("Hello", model)["id"] for _ in range(3)]
    [event] = revealed()
    assert (event.actor, event.object_id) == ("alice", str(config_of(alice, model).pk))
    assert {name: event.details[name] for name in ("purpose", "hint", "run")} == {"purpose": "run", "hint": "…aaaa", "run": runs[0]}
    USES.write(at_once=True)
    config = config_of(alice, model)
    assert (config.uses, config.last_used_by, config.status) == (3, alice.user, "valid")


def test_runs_that_start_together_open_one_key(chat: Chat, worker: Worker, alice: Person, anthropic: FakeAnthropic) -> None:
    model = model_at(alice, anthropic, key=KEY)
    chats = [chat, *(Chat(alice, worker) for _ in range(4))]
    for each in chats:
        each.say("Hello", model)
    worker.finish()
    assert [each.texts for each in chats] == [chat.texts] * 5
    assert len(revealed()) == 1


def test_a_run_in_flight_finishes_on_the_old_key_and_the_next_takes_the_new(
    chat: Chat, worker: Worker, alice: Person, anthropic: FakeAnthropic
) -> None:
    model = model_at(alice, anthropic, key=KEY)
    anthropic.script(Answer(text=" ".join(["word"] * 20), pace=0.05))
    slow = chat.say("Hello", model)
    assert anthropic.wait_for(lambda fake: len(fake.calls) == 1)
    update_config(caller=alice.caller, id=config_of(alice, model).pk, api_key=Secret(NEXT))
    other = Chat(alice, worker)
    quick = other.say("Hello", model)
    worker.finish()
    assert [chat.run(run)["status"] for run in (slow, quick)] == ["completed", "completed"]
    assert (chat.texts, keys_seen(anthropic)) == ([" ".join(["word"] * 20)], [KEY, NEXT])
    assert [event.details["hint"] for event in revealed()] == ["…aaaa", "…bbbb"]
    assert held() == {(config_of(alice, model).pk, 2)}


def test_a_run_that_waited_for_a_person_goes_on_with_the_new_key(
    chat: Chat, worker: Worker, alice: Person, demo: Service, anthropic: FakeAnthropic
) -> None:
    demo.tools.update(policy="ask", read_only=False)
    anthropic.script(Answer(calls=(Call("demo__search_tickets", {"status": "open"}),)), Answer(text="Done."))
    model = model_at(alice, anthropic, key=KEY)
    run = chat.ask("Look", model)
    assert run["status"] == "waiting_approval"
    update_config(caller=alice.caller, id=config_of(alice, model).pk, api_key=Secret(NEXT))
    chat.post(f"/api/tool-calls/{ToolCall.objects.get().id}/approve")
    worker.finish()
    assert (chat.run(run["id"])["status"], keys_seen(anthropic)) == ("completed", [KEY, NEXT])


@pytest.mark.parametrize("change", [{"is_enabled": False}, {"api_key": Secret(NEXT)}, {"shared": True}, None])
def test_an_idle_client_is_let_go_without_another_run(
    chat: Chat, alice: Person, anthropic: FakeAnthropic, change: dict[str, Any] | None
) -> None:
    model = model_at(alice, anthropic, key=KEY)
    chat.ask("Hello", model)
    config = config_of(alice, model)
    runtime = Runtime.get()
    runtime._house.sweep()
    assert held() == {(config.pk, 1)}
    if change is None:
        config.delete()
    else:
        update_config(caller=alice.caller, id=config.pk, **change)
    runtime._house.sweep()
    wait_until(lambda: not held())


def test_a_key_that_is_refused_is_marked_and_cleared_once_it_works(chat: Chat, alice: Person, anthropic: FakeAnthropic) -> None:
    model = model_at(alice, anthropic, key=KEY)
    anthropic.script(Failure(401), Answer(text="Hi."))
    assert chat.ask("Hello", model)["error"]["kind"] == "authentication_failed"
    config = config_of(alice, model)
    assert (config.status, "401" in config.status_detail) == ("invalid", True)
    chat.ask("Hello", model)
    assert config_of(alice, model).status == "valid"


def test_a_config_that_is_taken_away_under_a_run_opens_nothing(
    chat: Chat, alice: Person, anthropic: FakeAnthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the reading of the run and the building of its client."""
    from agent.worker import execute

    model, load = model_at(alice, anthropic, key=KEY), execute.load_work

    def disabled(*args: Any, **more: Any) -> Any:
        work = load(*args, **more)
        update_config(caller=alice.caller, id=config_of(alice, model).pk, is_enabled=False)
        return work

    monkeypatch.setattr(execute, "load_work", disabled)
    run = chat.ask("Hello", model)
    assert (run["status"], run["error"]["kind"]) == ("failed", "config_disabled")
    assert (anthropic.calls, revealed()) == ([], [])
    chat.check_told()


def test_a_key_that_no_kek_opens_is_said_and_marked(chat: Chat, alice: Person, anthropic: FakeAnthropic) -> None:
    model = model_at(alice, anthropic, key=KEY)
    DataKey.objects.all().delete()
    run = chat.ask("Hello", model)
    assert (run["error"]["kind"], config_of(alice, model).status) == ("unreadable", "unreadable")


def test_the_token_of_a_service_is_opened_once_for_a_session(chat: Chat, alice: Person, demo: Service) -> None:
    demo.token = Sealed(seal_for(demo, "token", Secret("token-of-alice-0123456789")))
    demo.auth_type = Service.Auth.BEARER
    demo.save()
    for _ in range(2):
        assert chat.ask("Give me an overview of open tickets and customers")["status"] == "completed"
    [event] = revealed("service.revealed")
    assert (event.actor, event.object_id, event.details["purpose"]) == ("alice", str(demo.id), "run")
    runtime = Runtime.get()
    assert len(runtime.services.held) == 1
    Service.objects.update(secret_version=2)
    runtime._house.sweep()
    wait_until(lambda: not runtime.services.held)
