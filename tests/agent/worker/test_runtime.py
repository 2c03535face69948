"""The joints of a worker: commits that cancel cannot cut, tools that always answer, signals that end it."""

from __future__ import annotations

import asyncio
import queue
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from agent import tasks
from agent.loop.intents import EndRun, FenceLost
from agent.models import Run
from agent.worker import execute, runtime
from agent.worker.execute import LoopJournal, execute_run
from agent.worker.runtime import Runtime
from agent.worker.toolcalls import ServiceToolCaller
from tests.agent.events import log_of
from tests.agent.loop.doubles import ListJournal, offered
from tests.agent.rows import queued_run
from tests.agent.worker.chat import model_at, types
from tests.agent.worker.conftest import wait_until
from tests.fakes.script import Answer

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from agent.services.claims import Claim
    from tests.agent.worker.chat import Chat
    from tests.agent.worker.conftest import Worker
    from tests.fakes.anthropic import FakeAnthropic
    from tests.llmconfig.people import Person

LOG: Any = SimpleNamespace(seq=7, emit=lambda type, data: 8, flush=None)


async def posted(inbox: Any) -> Any:
    async with asyncio.timeout(5):
        return await asyncio.to_thread(inbox.get)


async def journal_and_post() -> tuple[asyncio.Task[Any], Any]:
    """A commit under way, and the post that its thread has in hand."""
    inbox: Any = queue.SimpleQueue()
    task = asyncio.create_task(LoopJournal(LOG, inbox).commit(EndRun("completed")))
    return task, await posted(inbox)


async def test_a_commit_carries_the_last_event_and_answers_with_the_verdict() -> None:
    task, post = await journal_and_post()
    assert (post.seq, post.intent) == (7, EndRun("completed"))
    post.answer("stored")
    assert await task == "stored"


async def test_a_refused_commit_raises_at_its_caller() -> None:
    task, post = await journal_and_post()
    post.answer(None, FenceLost())
    with pytest.raises(FenceLost):
        await task


async def test_a_cancel_takes_effect_after_the_commit() -> None:
    inbox: Any = queue.SimpleQueue()
    seen: list[Any] = []

    async def work() -> None:
        seen.append(await LoopJournal(LOG, inbox).commit(EndRun("completed")))
        await asyncio.sleep(0)
        seen.append("never")

    task = asyncio.create_task(work())
    post = await posted(inbox)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    post.answer("stored")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["stored"]


async def test_whatever_goes_wrong_a_tool_call_has_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    class Pool:
        async def session(self, endpoint: Any, reveal: Any) -> Any:
            raise ValueError("secret detail")

    pool: Any = Pool()
    for endpoints in ({"e1": object()}, {}):
        result = await ServiceToolCaller(pool, endpoints, ListJournal())(offered("find"), "c1", {})  # type: ignore[arg-type]
        assert (result.tool_call_id, result.is_error) == ("c1", True)
        assert "failed inside routekit" in result.parts[0].text  # type: ignore[union-attr]
    assert "secret detail" in caplog.text


def test_a_run_whose_log_is_anothers_is_left_alone(worker: Worker, alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.services import live
    from agent.stream import take

    run = queued_run(alice)
    Run.objects.filter(id=run.id).update(fence=1)
    take(live.valkey(), str(run.id), 99)
    execute_run(run.id)
    run.refresh_from_db()
    assert (run.status, run.fence) == ("running", 2)


def test_a_run_that_is_not_there_is_no_work(worker: Worker) -> None:
    execute_run(uuid4())
    assert Runtime.get().active == {}


def test_a_database_that_is_away_leaves_the_run_for_later(worker: Worker, alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("gone")

    run = queued_run(alice)
    monkeypatch.setattr(execute, "load_work", away)
    with pytest.raises(OperationalError):
        execute_run(run.id)
    run.refresh_from_db()
    assert run.status == "running"
    assert run.lease_expires_at is not None  # once it has lapsed the sweeper rings again


def test_an_end_that_cannot_be_stored_is_left_to_the_lease(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(claim: Claim, intent: Any, *, seq: int) -> None:
        raise ValueError("no database")

    monkeypatch.setattr(execute, "commit_intent", away)
    run = chat.ask("Hello")
    assert run["status"] == "running"
    assert "its lease will lapse" in caplog.text


def test_a_refusal_under_a_lost_fence_says_nothing(chat: Chat, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(claim: Claim, intent: Any, *, seq: int) -> None:
        raise FenceLost

    worker.deaf = True
    run_id = chat.say("Hello")
    Run.objects.update(config=None)
    monkeypatch.setattr(execute, "commit_intent", lost)
    worker.start(worker.rings[0])
    worker.finish()
    assert log_of(run_id) == []


def test_heartbeats_go_on_when_valkey_or_the_database_does_not_answer(
    chat: Chat, alice: Person, anthropic: FakeAnthropic, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    beats: list[int] = []

    def failing(claims: Any) -> set[Any]:
        beats.append(len(claims))
        raise ValueError("no database")

    settings.HEARTBEAT_S = 0.02
    monkeypatch.setattr(runtime, "heartbeat", failing)
    monkeypatch.setattr("redis.Redis.set", failing)
    anthropic.script(Answer(text="one two three", hang_after=5))
    run_id = chat.say("Count", model_at(alice, anthropic))
    wait_until(lambda: len(beats) > 4)
    chat.post(f"/api/runs/{run_id}/cancel")
    chat.worker.finish()
    assert "Valkey does not answer" in caplog.text
    assert "the leases could not be prolonged" in caplog.text


def test_a_worker_says_that_it_is_there(worker: Worker, settings: SettingsWrapper) -> None:
    from agent.services import live

    def said() -> list[bytes]:
        return list(live.valkey().scan_iter(match="routekit:worker:*"))

    settings.HEARTBEAT_S = 0.02
    assert not said()
    Runtime.get()
    wait_until(said)
    assert len(said()) == 1


def test_a_cancel_of_a_run_that_is_not_here_is_nothing(worker: Worker) -> None:
    runtime = Runtime.get()
    runtime.cancel(uuid4())
    assert runtime.call(lambda: asyncio.sleep(0, "alive")) == "alive"


def test_a_runtime_that_was_never_started_stops(worker: Worker) -> None:
    Runtime.stop_if_started("shutdown")
    first = Runtime.get()
    assert Runtime.get() is first
    Runtime.stop_if_started("shutdown")
    assert not first._thread.is_alive()
    assert Runtime.get() is not first


def test_a_run_that_does_not_let_go_does_not_hold_the_process(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runtime, "_LET_GO_S", 0.01)
    with Runtime.entered():
        Runtime.stop_if_started("shutdown")
    assert "did not let go in time" in caplog.text


def test_the_tasks_of_celery_reach_the_services(chat: Chat, worker: Worker) -> None:
    worker.deaf = True
    run_id = chat.say("Hello")
    tasks.run_conversation(run_id)
    assert chat.run(run_id)["status"] == "completed"
    assert types(next(iter(chat.check_told().values())))[0] == "run.started"
    tasks.sweep_runs()


def test_a_worker_starts_its_runtime_and_stops_it_with_the_process(worker: Worker, alice: Person) -> None:
    tasks._start_runtime()
    started = Runtime._instance
    assert started is not None
    wait_until(lambda: all(thread.name != "routekit-preload" for thread in threading.enumerate()))
    try:
        tasks._give_runs_back()
        wait_until(lambda: not started._thread.is_alive())
    finally:
        tasks._shutting_down.clear()
    tasks._ensure_stopped()
    assert Runtime._instance is None
