"""Stopping a run while it speaks, while it works, and before it begins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.models import Run
from agent.services import live
from tests.agent.events import log_of
from tests.agent.worker.chat import data_of, model_at, types
from tests.agent.worker.conftest import wait_until
from tests.fakes.script import Answer, Call

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from agent.loop.plan import OfferedTool
    from agent.models import Service
    from tests.agent.worker.chat import Chat
    from tests.agent.worker.conftest import Worker
    from tests.fakes.anthropic import FakeAnthropic
    from tests.fakes.server import FakeVendor
    from tests.llmconfig.people import Person


@pytest.fixture(params=["anthropic", "openai"])
def vendor(request: pytest.FixtureRequest) -> FakeVendor:
    fake: FakeVendor = request.getfixturevalue(request.param)
    return fake


def speaking(run_id: str) -> None:
    wait_until(lambda: "text.delta" in types(log_of(run_id)))


def test_a_cancel_in_mid_stream_hangs_up_and_keeps_what_was_said(chat: Chat, alice: Person, vendor: FakeVendor) -> None:
    vendor.script(Answer(text="one two three four", hang_after=6))
    run_id = chat.say("Count", model_at(alice, vendor))
    speaking(run_id)
    began = time.monotonic()
    chat.post(f"/api/runs/{run_id}/cancel")
    assert vendor.wait_for(lambda fake: fake.calls[0].outcome == "left", 2)
    chat.worker.finish()
    assert time.monotonic() - began < 2
    run = chat.run(run_id)
    assert (run["status"], run["error"], run["steps"][0]["attempts"][0]["status"]) == ("cancelled", None, "cancelled")
    assert chat.messages[-1]["status"] == "partial"
    assert "one two three four".startswith(chat.texts[0])
    assert chat.texts[0]
    (events,) = chat.check_told().values()
    assert events[-1][1:] == ("run.cancelled", {})
    assert chat.ask("Go on")["status"] == "completed"


def test_without_the_nudge_the_heartbeat_finds_a_cancel(
    chat: Chat, alice: Person, anthropic: FakeAnthropic, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HEARTBEAT_S = 0.05
    monkeypatch.setattr(live, "publish_cancel", lambda *_: 0)
    anthropic.script(Answer(text="one two three four", hang_after=6))
    run_id = chat.say("Count", model_at(alice, anthropic))
    speaking(run_id)
    chat.post(f"/api/runs/{run_id}/cancel")
    chat.worker.finish()
    assert chat.run(run_id)["status"] == "cancelled"
    chat.check_told()


def test_a_cancel_while_a_tool_works_ends_the_run(
    chat: Chat, alice: Person, demo: Service, anthropic: FakeAnthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.worker.toolcalls import ServiceToolCaller

    async def forever(*_: Any) -> None:
        import asyncio

        await asyncio.Event().wait()

    monkeypatch.setattr(ServiceToolCaller, "__call__", forever)
    anthropic.script(Answer(text="Looking.", calls=(Call("demo__search_tickets"),)))
    run_id = chat.say("Look", model_at(alice, anthropic))
    wait_until(lambda: chat.run(run_id)["steps"] and [c["status"] for c in chat.run(run_id)["steps"][0]["tool_calls"]] == ["dispatched"])
    chat.post(f"/api/runs/{run_id}/cancel")
    chat.worker.finish()
    run = chat.run(run_id)
    assert (run["status"], run["steps"][0]["tool_calls"][0]["status"]) == ("cancelled", "unknown")
    chat.check_told()
    assert chat.ask("And now?")["status"] == "completed"
    assert "no result was recorded" in str(anthropic.calls[-1].body)


@pytest.mark.parametrize("end", ["cancel", "deadline"])
def test_a_run_that_ends_while_one_of_its_tools_works_tells_the_same_in_events_and_messages(
    chat: Chat, alice: Person, demo: Service, anthropic: FakeAnthropic, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    from agent.worker.toolcalls import ServiceToolCaller

    call = ServiceToolCaller.__call__

    async def slow(self: ServiceToolCaller, tool: OfferedTool, *rest: Any) -> Any:
        import asyncio

        return await (asyncio.Event().wait() if tool.name == "find_customers" else call(self, tool, *rest))

    monkeypatch.setattr(ServiceToolCaller, "__call__", slow)
    if end == "deadline":
        settings.RUN_TIMEOUT_S = 4
    anthropic.script(Answer(text="Looking.", calls=(Call("demo__search_tickets"), Call("demo__find_customers"))))
    run_id = chat.say("Look", model_at(alice, anthropic))
    wait_until(lambda: "tool_call.finished" in types(log_of(run_id)))
    if end == "cancel":
        chat.post(f"/api/runs/{run_id}/cancel")
    chat.worker.finish()
    assert [row["status"] for row in chat.run(run_id)["steps"][0]["tool_calls"]] == ["finished", "unknown"]
    (events,) = chat.check_told().values()
    assert [data["is_error"] for data in data_of(events, "tool_call.finished")] == [False]


def test_a_run_cancelled_before_its_message_arrives_stays_so(chat: Chat, worker: Worker) -> None:
    worker.deaf = True
    run_id = chat.say("Hello")
    chat.post(f"/api/runs/{run_id}/cancel")
    worker.start(worker.rings[0])
    worker.finish()
    (events,) = chat.check_told().values()
    assert types(events) == ["run.cancelled"]


def test_a_cancel_that_nobody_heard_ends_the_run_at_its_next_claim(chat: Chat, worker: Worker) -> None:
    from django.utils import timezone

    worker.deaf = True
    run_id = chat.say("Hello")
    Run.objects.update(cancel_requested_at=timezone.now())
    worker.start(worker.rings[0])
    worker.finish()
    assert chat.run(run_id)["status"] == "cancelled"
    (events,) = chat.check_told().values()
    assert data_of(events, "run.cancelled") == [{}]
