"""An answer by a schema from a model that knows none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import (
    BlockData,
    Finished,
    FinishReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Usage,
    UsageReported,
)
from llmconfig.wire.structured import INSTRUCTION, TOOL, as_text, by_tool
from tests.llmconfig.wire.streams import TOOLS, request, user

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
CALLED = Finished(FinishReason.TOOL_CALLS, "tool_use")
SAID = Finished(FinishReason.STOP, "end_turn")
ANSWERED = Finished(FinishReason.STOP, "tool_use")


async def told(*events: StreamEvent) -> list[StreamEvent]:
    async def stream() -> AsyncGenerator[StreamEvent, None]:
        for event in events:
            yield event

    return [event async for event in as_text(stream())]


def test_the_answer_is_one_more_tool() -> None:
    asked = request(user("Who?"), system="Be brief.", output_schema=SCHEMA)
    got = by_tool(asked)
    assert got.tools[:-1] == TOOLS
    assert (got.tools[-1].name, got.tools[-1].input_schema) == (TOOL, SCHEMA)
    assert (got.system, got.output_schema) == (f"Be brief.\n\n{INSTRUCTION}", None)
    assert by_tool(request(user("Who?"), output_schema=SCHEMA)).system == INSTRUCTION


async def test_its_input_is_the_text_as_it_comes() -> None:
    thought, usage = ThinkingDelta(0, "hm"), UsageReported(Usage(1, 2))
    got = await told(
        thought,
        ToolCallDelta(1, TOOL, "", "toolu_1"),
        ToolCallDelta(1, arguments='{"name":'),
        BlockData(1, "tool_call", {"signature": "x"}),
        ToolCallDelta(1, arguments='"Alice"}'),
        usage,
        CALLED,
    )
    assert got == [thought, TextDelta(1, '{"name":'), TextDelta(1, '"Alice"}'), usage, ANSWERED]


async def test_a_name_that_comes_late() -> None:
    got = await told(ToolCallDelta(0, arguments='{"name":'), ToolCallDelta(0, arguments='"A'), ToolCallDelta(0, TOOL, '"}'), CALLED)
    assert got == [TextDelta(0, '{"name":"A"}'), ANSWERED]


async def test_calls_of_other_tools_stay_calls() -> None:
    calls = [ToolCallDelta(0, "tickets__find", "", "a"), ToolCallDelta(0, arguments='{"q":1}')]
    assert await told(*calls, CALLED) == [*calls, CALLED]
    got = await told(ToolCallDelta(1, arguments="{}"), ToolCallDelta(1, "tickets__find"), CALLED)
    assert got == [ToolCallDelta(1, arguments="{}"), ToolCallDelta(1, "tickets__find"), CALLED]
    assert await told(ToolCallDelta(1, arguments="{}"), CALLED) == [ToolCallDelta(1, arguments="{}"), CALLED]


async def test_an_answer_beside_other_calls_waits_for_their_results() -> None:
    call = ToolCallDelta(0, "tickets__find", "{}")
    assert await told(call, ToolCallDelta(1, TOOL, "{}"), CALLED) == [call, TextDelta(1, "{}"), CALLED]


async def test_what_is_said_beside_the_answer_or_a_call_is_thinking() -> None:
    prose, data = TextDelta(0, "Here it is."), BlockData(0, "text", {"phase": "commentary"})
    got = await told(prose, data, ToolCallDelta(1, TOOL, '{"a":1}'), TextDelta(2, "Done."), CALLED)
    assert got == [ThinkingDelta(0, "Here it is."), TextDelta(1, '{"a":1}'), ThinkingDelta(2, "Done."), ANSWERED]
    call = ToolCallDelta(1, "tickets__find", "{}")
    assert await told(prose, call, CALLED) == [call, ThinkingDelta(0, "Here it is."), CALLED]


@pytest.mark.parametrize("text", ['{"a":1}', '```json\n{"a":1}\n```', '\n```\n{"a":1}\n```\n'])
async def test_text_without_a_call_is_taken_for_the_answer(text: str) -> None:
    assert await told(*(TextDelta(0, letter) for letter in text), SAID) == [TextDelta(0, '{"a":1}'), SAID]


async def test_nothing_at_all_stays_nothing() -> None:
    assert await told(SAID) == [SAID]


async def test_the_first_answer_counts_and_an_empty_one_is_an_empty_object() -> None:
    assert await told(ToolCallDelta(0, TOOL), ToolCallDelta(1, TOOL, '{"b":1}'), CALLED) == [TextDelta(0, "{}"), ANSWERED]


async def test_a_cut_answer_keeps_its_reason() -> None:
    cut = Finished(FinishReason.LENGTH, "max_tokens")
    assert await told(ToolCallDelta(0, TOOL, '{"a'), cut) == [TextDelta(0, '{"a'), cut]


async def test_closing_closes_what_it_reads() -> None:
    closed: list[Any] = []

    async def stream() -> AsyncGenerator[StreamEvent, None]:
        try:
            yield ThinkingDelta(0, "hm")
            yield SAID
        finally:
            closed.append(True)

    events = as_text(stream())
    await anext(events)
    await events.aclose()
    assert closed == [True]
