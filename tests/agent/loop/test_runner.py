"""The agent loop against doubles: what it makes durable, in which order, and what it tells."""

from __future__ import annotations

import asyncio

import pytest

from agent.loop.intents import BeginAttempt, DispatchTools, EndAttempt, EndRun, EndStep, EndTool, ReleaseRun, WaitForPerson
from agent.loop.plan import PendingCall
from agent.loop.ports import Stop
from llmconfig.llm import (
    AuthenticationFailed,
    Message,
    Overloaded,
    Text,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
    UsageReported,
)
from tests.agent.loop.doubles import CALLS, STOP, ListJournal, ScriptedProvider, Tools, offered, plan, runner

HELLO = [ThinkingDelta(0, "hm"), TextDelta(1, "Hel"), TextDelta(1, "lo"), UsageReported(Usage(3, 2)), STOP]


def call(index: int, name: str, arguments: str = "{}") -> ToolCallDelta:
    return ToolCallDelta(index, f"crm__{name}", arguments, f"raw{index}")


async def test_an_answer_without_calls_completes_the_run() -> None:
    journal = ListJournal()
    await runner(ScriptedProvider(HELLO), journal=journal).run()
    assert journal.types() == [
        "run.started",
        "step.started",
        "attempt.started",
        "thinking.delta",
        "text.delta",
        "text.delta",
        "message.completed",
        "usage.recorded",
        "run.completed",
    ]
    (ended,) = journal.of(EndRun)
    assert (ended.status, ended.finish_reason) == ("completed", "stop")
    (settled,) = journal.of(EndAttempt)
    assert settled.usage == Usage(3, 2)
    assert settled.message.text == "Hello"
    assert settled.ttft_ms is not None


async def test_a_report_of_usage_is_no_first_token() -> None:
    journal = ListJournal()
    await runner(ScriptedProvider([UsageReported(Usage(3)), STOP]), journal=journal).run()
    (settled,) = journal.of(EndAttempt)
    assert settled.ttft_ms is None


async def test_the_attempt_row_stands_before_its_dispatch() -> None:
    journal = ListJournal(refuse=BeginAttempt)
    provider = ScriptedProvider(HELLO)
    await runner(provider, journal=journal).run()
    assert provider.requests == []
    assert journal.types() == ["run.started"]


async def test_parallel_calls_run_at_once_and_their_results_return_in_call_order() -> None:
    journal, tools = ListJournal(), Tools(fail={"list"})
    provider = ScriptedProvider([call(0, "list", '{"a": 1}'), call(1, "find"), CALLS], HELLO)
    await runner(provider, journal=journal, tools=tools).run()
    assert tools.calls == [("list", {"a": 1}), ("find", {})]
    (dispatched,) = journal.of(DispatchTools)
    (step,) = journal.of(EndStep)
    assert [result.tool_call_id for result in step.results] == list(dispatched.calls)
    assert [result.is_error for result in step.results] == [True, False]
    second = provider.requests[1]
    assert [message.role for message in second.messages] == ["user", "assistant", "tool"]
    assert journal.order.index("DispatchTools") < journal.order.index("EndTool")
    assert journal.types()[-1] == "run.completed"
    assert {intent.step for intent in journal.of(BeginAttempt)} == {1, 2}


async def test_a_call_that_must_ask_pauses_the_run_after_the_others_ran() -> None:
    journal, tools = ListJournal(), Tools()
    provider = ScriptedProvider([call(0, "delete", '{"id": 7}'), call(1, "find"), CALLS])
    await runner(provider, journal=journal, tools=tools).run()
    assert [name for name, _ in tools.calls] == ["find"]
    asked = dict(journal.events)["tool_call.approval_required"]
    assert asked["name"] == "delete"
    assert asked["service"] == "crm"
    assert asked["arguments"] == {"id": 7}
    assert asked["definition_hash"] == "hash"
    assert asked["expires_at"]
    (waiting,) = journal.of(WaitForPerson)
    assert waiting.reason == "tool"
    assert journal.flushes == 1
    assert journal.of(EndRun) == []
    assert journal.types()[-1] == "run.waiting"


@pytest.mark.parametrize(
    ("delta", "says"),
    [
        (call(0, "drop"), "Denied here."),
        (ToolCallDelta(0, "crm__nothing", "{}"), "no tool named crm__nothing"),
        (call(0, "find", "[1]"), "not a JSON object"),
    ],
)
async def test_a_call_that_cannot_run_is_answered_with_the_reason(delta: ToolCallDelta, says: str) -> None:
    journal, tools = ListJournal(), Tools()
    await runner(ScriptedProvider([delta, CALLS], HELLO), journal=journal, tools=tools).run()
    assert tools.calls == []
    (result,) = journal.of(EndStep)[0].results
    assert result.is_error
    assert says in result.parts[0].text
    assert journal.of(EndTool)[0].status == "refused"
    assert journal.types()[-1] == "run.completed"


async def test_a_call_of_no_tool_is_told_as_the_message_shows_it() -> None:
    journal = ListJournal()
    calls = [ToolCallDelta(0, "crm__nothing", "{}"), ToolCallDelta(1, "plain", "{}"), CALLS]
    await runner(ScriptedProvider(calls, HELLO), journal=journal).run()
    told = [(data["service"], data["name"]) for type, data in journal.events if type == "tool_call.requested"]
    assert told == [("crm", "nothing"), (None, "plain")]


async def test_refused_tools_are_not_offered_to_the_model() -> None:
    provider = ScriptedProvider(HELLO)
    await runner(provider, journal=ListJournal()).run()
    assert [tool.name for tool in provider.requests[0].tools] == ["crm__find", "crm__list", "crm__delete"]


@pytest.mark.parametrize("error", [AuthenticationFailed("The key was refused (401)."), Overloaded("Busy.")])
async def test_a_provider_error_settles_the_attempt_and_fails_the_run_with_advice(error: Exception) -> None:
    journal = ListJournal()
    await runner(ScriptedProvider([TextDelta(0, "par"), error]), journal=journal).run()
    (settled,) = journal.of(EndAttempt)
    assert settled.status == "failed"
    assert settled.message.text == "par"
    failed = dict(journal.events)["run.failed"]
    assert failed["kind"] == error.kind  # type: ignore[attr-defined]
    assert error.advice in failed["detail"]  # type: ignore[attr-defined]
    assert dict(journal.events)["attempt.failed"]["next"] is None


async def test_a_cancel_by_the_user_keeps_the_partial_text_and_closes_the_stream() -> None:
    reached, stop, journal = asyncio.Event(), Stop(), ListJournal()
    provider = ScriptedProvider([TextDelta(0, "half a"), UsageReported(Usage(5)), reached])
    task = asyncio.create_task(runner(provider, journal=journal, stop=stop).run())
    await reached.wait()
    stop.reason = "user"
    task.cancel()
    await task
    assert provider.closed == 1
    (settled,) = journal.of(EndAttempt)
    assert (settled.status, settled.message.text, settled.usage.input_tokens) == ("cancelled", "half a", 5)
    assert journal.of(EndRun)[0].status == "cancelled"
    assert journal.types()[-1] == "run.cancelled"


async def test_a_cancel_during_a_tool_ends_the_run() -> None:
    reached, stop, journal = asyncio.Event(), Stop(), ListJournal()
    provider = ScriptedProvider([call(0, "find"), CALLS])
    task = asyncio.create_task(runner(provider, journal=journal, tools=Tools(hang=reached), stop=stop).run())
    await reached.wait()
    stop.reason = "user"
    task.cancel()
    await task
    assert journal.types()[-1] == "run.cancelled"


async def test_a_shutdown_gives_the_run_back_without_an_end() -> None:
    reached, stop, journal = asyncio.Event(), Stop(), ListJournal()
    task = asyncio.create_task(runner(ScriptedProvider([reached]), journal=journal, stop=stop).run())
    await reached.wait()
    stop.reason = "shutdown"
    task.cancel()
    await task
    assert len(journal.of(ReleaseRun)) == 1
    assert journal.of(EndRun) == []


async def test_a_deadline_fails_the_run_and_says_what_to_do() -> None:
    reached, stop, journal = asyncio.Event(), Stop(), ListJournal()
    task = asyncio.create_task(runner(ScriptedProvider([reached]), journal=journal, stop=stop).run())
    await reached.wait()
    stop.reason = "deadline"
    task.cancel()
    await task
    assert dict(journal.events)["run.failed"]["kind"] == "run_timeout"


async def test_after_a_lost_fence_nothing_more_is_told() -> None:
    journal = ListJournal(refuse=EndAttempt)
    await runner(ScriptedProvider(HELLO), journal=journal).run()
    assert "message.completed" not in journal.types()
    assert "run.completed" not in journal.types()


async def test_the_step_limit_ends_a_loop_that_never_answers() -> None:
    journal = ListJournal()
    provider = ScriptedProvider(*([[call(0, "find"), CALLS]] * 3))
    await runner(provider, journal=journal, max_steps=3).run()
    assert dict(journal.events)["run.failed"]["kind"] == "step_limit"
    assert len(provider.requests) == 3


def history_with(*calls: ToolCall) -> tuple[Message, ...]:
    return (Message("user", (Text("hi"),)), Message("assistant", calls))


async def test_a_resumed_run_goes_on_with_what_was_decided() -> None:
    first, second, third = (ToolCall(f"c{n}", f"crm__{name}", {"n": n}) for n, name in enumerate(["delete", "find", "delete"]))
    done = ToolResult("c1", (Text("found"),))
    pending = (
        PendingCall(first, "approved", decided_by="alice", announced=False, definition_hash="hash"),
        PendingCall(second, "finished", result=done),
        PendingCall(third, "denied", decided_by="alice", announced=False),
    )
    journal, tools, provider = ListJournal(), Tools(), ScriptedProvider(HELLO)
    history = history_with(first, second, third)
    await runner(provider, journal=journal, tools=tools, history=history, pending=pending, resumed=True).run()
    assert tools.calls == [("delete", {"n": 0})]
    assert journal.types()[:3] == ["tool_call.decided", "tool_call.decided", "run.resumed"]
    assert [data["decision"] for type, data in journal.events if type == "tool_call.decided"] == ["approved", "denied"]
    results = journal.of(EndStep)[0].results
    assert [(result.tool_call_id, result.is_error) for result in results] == [("c0", False), ("c1", False), ("c2", True)]
    assert provider.requests[0].messages[-1].role == "tool"
    assert journal.of(BeginAttempt)[0].step == 2


async def test_a_call_lost_in_flight_asks_a_person() -> None:
    lost = ToolCall("c0", "crm__find", {})
    journal, tools = ListJournal(), Tools()
    pending = (PendingCall(lost, "dispatched"),)
    await runner(ScriptedProvider(HELLO), journal=journal, tools=tools, history=history_with(lost), pending=pending).run()
    assert journal.of(WaitForPerson)[0].reason == "unknown_outcome"
    assert tools.calls == []


async def test_a_call_lost_in_flight_runs_again_when_that_does_no_harm() -> None:
    lost = ToolCall("c0", "crm__find", {})
    journal, tools = ListJournal(), Tools()
    run = runner(ScriptedProvider(HELLO), journal=journal, tools=tools)
    run.plan = plan(history=history_with(lost), pending=(PendingCall(lost, "dispatched"),), tools=(offered("find", repeatable=True),))
    await run.run()
    assert tools.calls == [("find", {})]
    assert journal.types()[-1] == "run.completed"


async def test_a_taken_over_step_is_announced_with_where_its_deltas_begin() -> None:
    journal = ListJournal()
    await runner(ScriptedProvider(HELLO), journal=journal, resumed=True, first_step=2, discard_after=9).run()
    assert journal.events[1] == ("step.restarted", {"index": 2, "discard_after": 9})


async def test_an_answer_without_end_is_cut_and_what_was_told_of_it_is_what_is_kept() -> None:
    journal = ListJournal()
    await runner(ScriptedProvider([TextDelta(0, "x" * 1_000_000)] * 20 + [STOP]), journal=journal).run()
    (settled,) = journal.of(EndAttempt)
    assert (settled.status, settled.error_kind) == ("failed", "stream_interrupted")
    assert settled.message.text == "".join(data["text"] for type, data in journal.events if type == "text.delta")
    (ended,) = journal.of(EndRun)
    assert (ended.status, ended.error_kind) == ("failed", "stream_interrupted")
