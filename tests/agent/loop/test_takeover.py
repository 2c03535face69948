"""What a worker tells and does first when another one was lost, or a fence is lost under it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from agent.loop.intents import BeginAttempt, DispatchTools, EndRun, EndTool, ReleaseRun
from agent.loop.ports import Stop
from agent.loop.runner import Runner
from llmconfig.llm import AuthenticationFailed, Provider, Text, TextDelta, ToolCallDelta
from tests.agent.loop.doubles import CALLS, STOP, ListJournal, ScriptedProvider, Tools, plan, runner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmconfig.llm import ModelRequest, StreamEvent

HELLO = [TextDelta(0, "Hello"), STOP]
CALL = [ToolCallDelta(0, "crm__find", "{}", "r0"), ToolCallDelta(1, "crm__list", "{}", "r1"), CALLS]
TOLD = {"role": "assistant", "parts": []}


async def test_what_a_lost_worker_stored_is_told_before_anything_new() -> None:
    journal = ListJournal()
    await runner(ScriptedProvider(HELLO), journal=journal, resumed=True, untold=(TOLD,), notices=("Mind the gap.",)).run()
    assert journal.events[:3] == [
        ("run.resumed", {}),
        ("message.completed", {"message": TOLD}),
        ("run.notice", {"detail": "Mind the gap."}),
    ]


async def test_an_answer_that_was_given_is_not_asked_for_again() -> None:
    journal, provider = ListJournal(), ScriptedProvider(HELLO)
    await runner(provider, journal=journal, resumed=True, answered="stop").run()
    assert provider.requests == []
    assert journal.of(EndRun) == [EndRun("completed", "stop")]
    assert journal.types() == ["run.resumed", "run.completed"]


async def test_a_client_that_cannot_be_opened_fails_the_run_with_advice() -> None:
    journal = ListJournal()

    async def refuse() -> Provider:
        raise AuthenticationFailed("The key cannot be opened.")

    await Runner(plan(), journal=journal, open_provider=refuse, tools=Tools(), new_id=str, stop=Stop()).run()
    (ended,) = journal.of(EndRun)
    assert (ended.status, ended.error_kind) == ("failed", "authentication_failed")
    assert AuthenticationFailed.advice in ended.error_detail
    assert journal.of(BeginAttempt) == []


async def test_a_fence_lost_by_one_tool_ends_the_others_quietly() -> None:
    journal = ListJournal(refuse=EndTool)
    await runner(ScriptedProvider(CALL), journal=journal).run()
    assert "tool_call.finished" not in journal.types()
    assert journal.of(EndRun) == []


async def test_calls_do_not_leave_under_a_lost_fence() -> None:
    journal, tools = ListJournal(refuse=DispatchTools), Tools()
    await runner(ScriptedProvider(CALL), journal=journal, tools=tools).run()
    assert tools.calls == []


@pytest.mark.parametrize(("reason", "refuse"), [("user", EndRun), ("deadline", EndRun), ("shutdown", ReleaseRun)])
async def test_a_fence_lost_while_stopping_is_the_end_of_it(reason: Any, refuse: type[Any]) -> None:
    reached, stop, journal = asyncio.Event(), Stop(), ListJournal(refuse=refuse)
    task = asyncio.create_task(runner(ScriptedProvider([reached]), journal=journal, stop=stop).run())
    await reached.wait()
    stop.reason = reason
    task.cancel()
    await task
    assert journal.types()[-1] not in ("run.cancelled", "run.failed", "run.completed")


@pytest.mark.parametrize("reason", ["stale", ""])
async def test_a_run_that_is_anothers_is_left_as_it_is(reason: Any) -> None:
    reached, stop, journal = asyncio.Event(), Stop(), ListJournal()
    task = asyncio.create_task(runner(ScriptedProvider([TextDelta(0, "half"), reached]), journal=journal, stop=stop).run())
    await reached.wait()
    stop.reason = reason
    task.cancel()
    await task
    assert [type(intent) for intent in journal.intents] == [BeginAttempt]
    assert "message.completed" not in journal.types()


class PlainIterator(ScriptedProvider):
    """A stream that is an async iterator and no generator, so it has nothing to close."""

    def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        answer = iter(self.answers.pop(0))

        class Stream:
            def __aiter__(self) -> Any:
                return self

            async def __anext__(self) -> Any:
                try:
                    return next(answer)
                except StopIteration:
                    raise StopAsyncIteration from None

        return Stream()


async def test_a_stream_need_not_be_a_generator() -> None:
    journal = ListJournal()
    await runner(PlainIterator(HELLO), journal=journal).run()
    assert journal.types()[-1] == "run.completed"


async def test_a_result_that_was_kept_goes_back_with_the_one_that_ran() -> None:
    journal, provider = ListJournal(), ScriptedProvider(CALL, HELLO)
    await runner(provider, journal=journal).run()
    results = provider.requests[1].messages[-1].parts
    assert [part.parts for part in results] == [(Text("find says hello"),), (Text("list says hello"),)]  # type: ignore[union-attr]
