"""Runs from the ring of the doorbell to their end, through the real runtime, Valkey, the demo service and fake vendors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.models import Attempt, Run, Service
from tests.agent.worker.chat import data_of, model_at, types
from tests.fakes.script import Answer, Call, Failure, Silence, Tokens

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.agent.worker.chat import Chat
    from tests.agent.worker.conftest import Worker
    from tests.fakes.anthropic import FakeAnthropic
    from tests.fakes.openai import FakeOpenAI
    from tests.fakes.server import FakeVendor
    from tests.llmconfig.people import Person

KEY = "sk-wrong-0123456789abcdef"


@pytest.fixture(params=["anthropic", "openai"])
def vendor(request: pytest.FixtureRequest) -> FakeVendor:
    fake: FakeVendor = request.getfixturevalue(request.param)
    return fake


def test_the_demo_provider_looks_up_two_things_at_once(chat: Chat, demo: Service) -> None:
    run = chat.ask("Give me an overview of open tickets and customers")
    assert (run["status"], run["finish_reason"], run["error"], run["cost"]) == ("completed", "stop", None, "0")
    first, second = run["steps"]
    assert {call["name"]: (call["status"], call["is_error"]) for call in first["tool_calls"]} == {
        "search_tickets": ("finished", False),
        "find_customers": ("finished", False),
    }
    assert second["tool_calls"] == []
    assert "I found 10 customers" in chat.texts[1]
    (events,) = chat.check_told().values()
    assert events[0][2] == {"run": run["id"], "conversation": chat.id, "target": {"model": events[0][2]["target"]["model"]}}
    told = [type for type in types(events) if not type.endswith(".delta")]
    assert told[:6] == ["run.started", "step.started", "attempt.started", "message.completed", "usage.recorded", "tool_call.requested"]
    assert sorted(told[6:9]) == ["tool_call.finished", "tool_call.finished", "tool_call.requested"]
    assert told[9:] == [
        "message.completed",
        "step.started",
        "attempt.started",
        "message.completed",
        "usage.recorded",
        "run.completed",
    ]


def test_what_is_left_at_the_provider_is_kept_with_each_attempt(chat: Chat, alice: Person, openai: FakeOpenAI) -> None:
    headers = {"x-ratelimit-limit-tokens": "30000", "x-ratelimit-remaining-tokens": "120", "x-ratelimit-reset-tokens": "6m0s"}
    openai.script(Answer("Hi", headers=headers), Failure(429, headers=headers))
    for status in ("completed", "failed"):
        run = chat.ask("Hello", model_at(alice, openai))
        assert run["status"] == status
        kept = Attempt.objects.get(step__run=run["id"]).rate_limits
        assert kept == {"requests": None, "tokens": {"limit": 30_000, "left": 120, "reset_s": 360.0}}


def test_two_parallel_calls_of_a_real_model(chat: Chat, alice: Person, demo: Service, vendor: FakeVendor) -> None:
    calls = (Call("demo__search_tickets", {"status": "open"}), Call("demo__get_customer", {"id": "C-201"}))
    vendor.script(Answer(text="Let me look that up.", calls=calls), Answer(text="Seven are open."))
    run = chat.ask("What is open?", model_at(alice, vendor))
    assert (run["status"], run["finish_reason"]) == ("completed", "stop")
    (events,) = chat.check_told().values()
    assert chat.texts == ["Let me look that up.", "Seven are open."]
    told = chat.messages[2]
    assert [part["tool_call_id"] for part in told["parts"]] == [call["id"] for call in run["steps"][0]["tool_calls"]]
    assert "Harbour & Pine Studio" in told["parts"][1]["parts"][0]["text"]
    assert "".join(data["text"] for data in data_of(events, "text.delta")) == "".join(chat.texts)
    assert [data["input_tokens"] for data in data_of(events, "usage.recorded")] == [25, 25]
    assert run["usage"]["output_tokens"] == 30
    second = vendor.calls[1].body
    assert "Harbour & Pine Studio" in str(second)
    assert str(second).count("CSV export stops") == 1


def test_usage_and_cost_of_a_known_model_are_measured(chat: Chat, alice: Person, anthropic: FakeAnthropic) -> None:
    run = chat.ask("Hello", model_at(alice, anthropic))
    attempt = run["steps"][0]["attempts"][0]
    assert {name: attempt["usage"][name] for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")} == {
        "input_tokens": 25,
        "output_tokens": 15,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
    }
    assert float(attempt["cost"]) == pytest.approx(25 * 3e-6 + 15 * 15e-6)
    assert attempt["evidence"] == "measured"
    assert attempt["latency_ms"] >= attempt["ttft_ms"] >= 0


@pytest.mark.parametrize("counts", [Tokens(input=2**40), Tokens(input=2**70), Tokens(cache_write=0, cache_write_1h=300)])
def test_counts_that_cannot_be_do_not_cost_the_answer(chat: Chat, alice: Person, anthropic: FakeAnthropic, counts: Tokens) -> None:
    """A server's mistake: more tokens than a ledger holds, or a part that is larger than its whole."""
    anthropic.script(Answer(text="Hi.", tokens=counts))
    run = chat.ask("Hello", model_at(alice, anthropic))
    assert (run["status"], run["error"], chat.texts) == ("completed", None, ["Hi."])
    assert run["usage"]["input_tokens"] == (None if counts.input > 25 else 25)
    assert run["usage"]["output_tokens"] == 15


def test_a_model_nobody_has_a_price_for_costs_unknown(chat: Chat, alice: Person, openai: FakeOpenAI) -> None:
    openai.models.insert(0, "house-model-7")
    run = chat.ask("Hello", model_at(alice, openai))
    assert (run["status"], run["cost"]) == ("completed", None)
    assert run["steps"][0]["attempts"][0]["evidence"] == "unknown"


def test_what_the_service_cannot_do_is_told_to_the_model(chat: Chat, alice: Person, demo: Service, vendor: FakeVendor) -> None:
    calls = (
        Call("demo__get_ticket", {"id": "T-9999"}),
        Call("demo__get_ticket", {"ticket": 1}),
        Call("demo__fly", {}),
        Call("no_service_at_all", {}),
    )
    vendor.script(Answer(calls=calls), Answer(text="None of it worked."))
    run = chat.ask("Try", model_at(alice, vendor))
    assert run["status"] == "completed"
    assert [call["is_error"] for call in run["steps"][0]["tool_calls"]] == [True] * 4
    said = [part["parts"][0]["text"] for part in chat.messages[2]["parts"]]
    assert "There is no ticket 'T-9999'" in said[0]
    assert "There is no tool named demo__fly" in said[2]
    assert "no_service_at_all" in said[3]
    chat.check_told()


def test_a_service_that_is_down_is_an_answer_not_a_failure(
    chat: Chat, alice: Person, demo: Service, anthropic: FakeAnthropic, settings: SettingsWrapper
) -> None:
    demo.url = settings.DEMO_SERVICE_URL = "http://127.0.0.1:1/mcp"
    demo.save()
    anthropic.script(Answer(calls=(Call("demo__search_tickets"),)), Answer(text="The desk is closed."))
    run = chat.ask("What is open?", model_at(alice, anthropic))
    assert run["status"] == "completed"
    assert "Check the service's address" in chat.messages[2]["parts"][0]["parts"][0]["text"]
    chat.check_told()


SENTENCES = {
    "authentication_failed": "Check that the key was copied whole",
    "stream_interrupted": "What arrived is kept",
    "timeout": "Try again",
    "overloaded": "Try again in a moment",
    "rate_limited": "Wait a moment",
    "provider_unavailable": "Check the base URL",
}


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (Failure(401), "authentication_failed"),
        (Failure(529), "overloaded"),
        (Failure(429), "rate_limited"),
        (Answer(text="one two three four five", cut_after=5), "stream_interrupted"),
        (Answer(text="one two three four five", end_after=5), "stream_interrupted"),
        (Answer(text="one two three four five", hang_after=5), "timeout"),
        (Silence(), "timeout"),
    ],
)
def test_a_providers_fault_fails_the_run_with_a_reason_and_advice(
    chat: Chat, alice: Person, vendor: FakeVendor, settings: SettingsWrapper, script: Any, kind: str
) -> None:
    settings.FIRST_TOKEN_TIMEOUT_S = settings.IDLE_TIMEOUT_S = 0.3
    vendor.script(script)
    run = chat.ask("Hello", model_at(alice, vendor))
    assert (run["status"], run["error"]["kind"]) == ("failed", kind)
    assert SENTENCES[kind] in run["error"]["detail"]
    assert "Traceback" not in run["error"]["detail"]
    (events,) = chat.check_told().values()
    assert events[-1][1:] == ("run.failed", run["error"])
    assert data_of(events, "attempt.failed")[0]["next"] is None
    assert run["steps"][0]["attempts"][0]["error_kind"] == kind
    if isinstance(script, Answer):
        assert "one two three four five".startswith(chat.texts[0])
        assert chat.messages[-1]["status"] == "partial"
    else:
        assert chat.texts == []


def test_a_wrong_key_is_not_repeated_to_anybody(chat: Chat, alice: Person, vendor: FakeVendor, caplog: pytest.LogCaptureFixture) -> None:
    run = chat.ask("Hello", model_at(alice, vendor, key=KEY))
    assert run["error"]["kind"] == "authentication_failed"
    (events,) = chat.check_told().values()
    assert KEY not in str(events) + str(run) + caplog.text


def test_a_server_that_is_not_there(chat: Chat, alice: Person, vendor: FakeVendor) -> None:
    run = chat.ask("Hello", model_at(alice, vendor, base_url="http://127.0.0.1:1/v1"))
    assert run["error"]["kind"] == "provider_unavailable"
    assert SENTENCES["provider_unavailable"] in run["error"]["detail"]
    chat.check_told()


def test_an_address_that_was_forbidden_since(chat: Chat, alice: Person, anthropic: FakeAnthropic, settings: SettingsWrapper) -> None:
    target = model_at(alice, anthropic)
    settings.PRIVATE_HOSTS = []
    run = chat.ask("Hello", target)
    assert run["error"]["kind"] == "provider_unavailable"
    assert anthropic.calls == []
    chat.check_told()


def test_a_conversation_goes_on_after_a_failure(chat: Chat, alice: Person, vendor: FakeVendor) -> None:
    vendor.script(Answer(text="one two three", cut_after=6), Answer(text="All of it."))
    target = model_at(alice, vendor)
    assert chat.ask("Count", target)["status"] == "failed"
    assert chat.ask("Go on", target)["status"] == "completed"
    assert chat.texts[-1] == "All of it."
    chat.check_told()


def test_a_config_that_is_gone_when_the_run_begins(chat: Chat, alice: Person, worker: Worker, anthropic: FakeAnthropic) -> None:
    worker.deaf = True
    run_id = chat.say("Hello", model_at(alice, anthropic))
    Run.objects.update(config=None)
    worker.start(worker.rings[0])
    worker.finish()
    run = chat.run(run_id)
    assert (run["status"], run["error"]["kind"]) == ("failed", "config_gone")
    (events,) = chat.check_told().values()
    assert types(events) == ["run.failed"]


def test_a_run_that_cannot_be_read_fails_once_and_tells_nothing_of_why(
    chat: Chat, worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from agent.worker import execute

    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("secret detail")

    monkeypatch.setattr(execute, "load_work", broken)
    run = chat.ask("Hello")
    assert (run["status"], run["error"]["kind"]) == ("failed", "internal_error")
    assert "secret detail" not in run["error"]["detail"]
    assert "secret detail" in caplog.text
    chat.check_told()


def test_a_fault_inside_the_loop_fails_the_run_and_tells_nothing_of_why(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from llmconfig.services import ClientPool

    async def broken(*_: Any) -> None:
        raise ValueError("secret detail")

    monkeypatch.setattr(ClientPool, "open", broken)
    run = chat.ask("Hello")
    assert (run["status"], run["error"]["kind"]) == ("failed", "internal_error")
    assert "secret detail" not in str(run)
    assert "secret detail" in caplog.text
    chat.check_told()


def test_a_tool_that_its_service_has_only_now_is_stored_for_approval(chat: Chat, demo: Service) -> None:
    demo.tools.filter(name="get_article").delete()
    Service.objects.update(is_demo=False)  # whose tools wait for nobody
    assert chat.ask("Which tickets are open?")["status"] == "completed"
    assert dict(demo.tools.exclude(state="approved").values_list("name", "state")) == {"get_article": "new"}


def test_a_run_ends_at_its_deadline(chat: Chat, alice: Person, anthropic: FakeAnthropic, settings: SettingsWrapper) -> None:
    settings.RUN_TIMEOUT_S = 0.5
    anthropic.script(Answer(text="one two three", hang_after=4))
    run = chat.ask("Hello", model_at(alice, anthropic))
    assert (run["status"], run["error"]["kind"]) == ("failed", "run_timeout")
    assert "ROUTEKIT_RUN_TIMEOUT" in run["error"]["detail"]
    assert anthropic.wait_for(lambda fake: fake.calls[0].outcome == "left", 2)
    chat.check_told()


def test_a_loop_that_never_answers_ends_at_the_step_limit(
    chat: Chat, alice: Person, demo: Service, anthropic: FakeAnthropic, settings: SettingsWrapper
) -> None:
    settings.MAX_STEPS = 3
    anthropic.default = Answer(calls=(Call("demo__search_tickets"),))
    run = chat.ask("Go", model_at(alice, anthropic))
    assert (run["error"]["kind"], len(run["steps"])) == ("step_limit", 3)
    chat.check_told()


def test_a_model_is_switched_in_the_middle_and_understands_what_was_said(
    chat: Chat, alice: Person, demo: Service, anthropic: FakeAnthropic, openai: FakeOpenAI
) -> None:
    call = Call("demo__search_tickets", {"status": "open"})
    anthropic.script(Answer(thinking="Hm.", text="Looking.", calls=(call,)), Answer(thinking="So.", text="Seven tickets."))
    openai.script(Answer(text="Again.", calls=(Call("demo__find_customers"),)), Answer(text="Ten customers."))
    first = model_at(alice, anthropic)
    assert chat.ask("What is open?", first)["status"] == "completed"
    assert chat.ask("And customers?", model_at(alice, openai))["status"] == "completed"
    sent = str(openai.calls[1].body)
    assert "Seven tickets." in sent
    assert "CSV export stops" in sent
    assert "signature" not in sent
    chat.client.patch(f"/api/conversations/{chat.id}", {"target": None})
    models = chat.client.get("/api/models").json()["results"]
    demo_model = next(row["id"] for row in models if row["provider"] == "demo")
    assert chat.ask("Show ticket T-1030", demo_model)["status"] == "completed"
    anthropic.script(Answer(text="Back again."))
    assert chat.ask("Who are you?", first)["status"] == "completed"
    assert "Ten customers." in str(anthropic.calls[-1].body)
    assert {message["provider"] for message in chat.messages if message["role"] == "assistant"} == {"anthropic", "openai", "demo"}
    chat.check_told()


def test_a_rotated_key_serves_the_next_run(chat: Chat, alice: Person, anthropic: FakeAnthropic) -> None:
    target = model_at(alice, anthropic)
    chat.ask("One", target)
    changed = chat.client.patch(f"/api/user/llm-config/{target.partition('/')[0]}", {"api_key": "sk-rotated-0123456789"})
    assert changed.status_code == 200
    chat.ask("Two")
    sent = [str(call.headers) for call in anthropic.calls]
    assert ["sk-test-0123456789abcdef" in headers for headers in sent] == [True, False]
    assert ["sk-rotated-0123456789" in headers for headers in sent] == [False, True]
