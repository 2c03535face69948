"""A run whose answer must meet a schema: sent back once, then failed."""

from __future__ import annotations

from typing import Any

import pytest

from agent.loop.intents import EndRun
from llmconfig.llm import Finished, FinishReason, Message, Text, TextDelta, ToolCallDelta
from tests.agent.loop.doubles import CALLS, STOP, ListJournal, ScriptedProvider, runner

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
GOOD, BAD = '{"name": "Alice"}', '{"name": 7}'
USER = Message("user", (Text("hi"),))


def said(text: str, finish: Finished = STOP) -> list[Any]:
    return [TextDelta(0, text), finish]


def answered(text: str) -> Message:
    return Message("assistant", (Text(text),))


async def played(provider: ScriptedProvider, **changes: Any) -> tuple[ListJournal, EndRun]:
    journal = ListJournal()
    await runner(provider, journal=journal, output_schema=SCHEMA, **changes).run()
    (ended,) = journal.of(EndRun)
    assert journal.events[-1][0] == f"run.{ended.status}"
    return journal, ended


async def test_an_answer_that_fits_completes_the_run() -> None:
    provider = ScriptedProvider(said(GOOD))
    _, ended = await played(provider, native_schema=False)
    assert (ended.status, ended.finish_reason) == ("completed", "stop")
    assert (provider.requests[0].output_schema, provider.requests[0].native_schema) == (SCHEMA, False)


async def test_tools_may_be_called_first() -> None:
    provider = ScriptedProvider([TextDelta(0, "Let me look."), ToolCallDelta(1, "crm__find", "{}", "raw"), CALLS], said(GOOD))
    _, ended = await played(provider)
    assert ended.status == "completed"
    assert len(provider.requests) == 2


async def test_one_that_does_not_is_sent_back_once_with_what_is_wrong() -> None:
    provider = ScriptedProvider(said(BAD), said(GOOD))
    journal, ended = await played(provider)
    assert ended.status == "completed"
    assert [message.role for message in provider.requests[1].messages] == ["user", "assistant", "user"]
    assert "at /name: 7 is not of type 'string'" in provider.requests[1].messages[2].text
    assert journal.types().count("message.completed") == 2


async def test_a_second_miss_fails_the_run() -> None:
    provider = ScriptedProvider(said(BAD), said("Sorry."))
    journal, ended = await played(provider)
    assert (ended.status, ended.error_kind, ended.finish_reason) == ("failed", "invalid_output", "stop")
    assert ended.error_detail.endswith("choose another model. The answer is not a JSON object.")
    assert journal.events[-1][1] == {"kind": "invalid_output", "detail": ended.error_detail}


async def test_calls_made_while_putting_it_right_are_no_answer() -> None:
    provider = ScriptedProvider(said(BAD), [ToolCallDelta(0, "crm__find", "{}", "raw"), CALLS], said(BAD))
    _, ended = await played(provider)
    assert ended.error_kind == "invalid_output"


@pytest.mark.parametrize("reason", [FinishReason.LENGTH, FinishReason.REFUSAL, FinishReason.CONTENT_FILTER])
async def test_an_answer_that_was_cut_is_not_asked_for_again(reason: FinishReason) -> None:
    provider = ScriptedProvider(said('{"name": "Al', Finished(reason, "x")))
    _, ended = await played(provider)
    assert (ended.status, ended.error_kind, ended.finish_reason) == ("failed", "invalid_output", str(reason))
    assert "schema" in ended.error_detail


async def test_putting_it_right_is_a_step_and_steps_have_their_limit() -> None:
    _, ended = await played(ScriptedProvider(said(BAD)), max_steps=1)
    assert ended.error_kind == "step_limit"


async def test_a_worker_that_takes_over_judges_the_answer_it_finds() -> None:
    _, ended = await played(ScriptedProvider(), history=(USER, answered(GOOD)), answered="stop", first_step=2)
    assert ended.status == "completed"
    provider = ScriptedProvider(said(GOOD))
    _, ended = await played(provider, history=(USER, answered(BAD)), answered="stop", first_step=2)
    assert ended.status == "completed"
    assert "does not fit" in provider.requests[0].messages[-1].text
    _, ended = await played(ScriptedProvider(), history=(USER, answered(BAD), answered(BAD)), answered="stop", first_step=3)
    assert ended.error_kind == "invalid_output"


async def test_a_worker_that_takes_over_while_it_is_put_right_says_again_what_is_wrong() -> None:
    provider = ScriptedProvider(said(BAD))
    _, ended = await played(provider, history=(USER, answered(BAD)), first_step=2, resumed=True)
    assert "at /name" in provider.requests[0].messages[-1].text
    assert ended.error_kind == "invalid_output"


async def test_an_answer_without_a_text_is_none() -> None:
    _, ended = await played(ScriptedProvider(said(GOOD)), history=(USER,), answered="other", first_step=2)
    assert ended.status == "completed"
