"""Folding stream events to a message."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmconfig.llm import (
    Accumulator,
    BlockData,
    Finished,
    FinishReason,
    Message,
    ProviderData,
    StreamEvent,
    StreamInterrupted,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageReported,
    parse_arguments,
)
from llmconfig.llm.events import MAX_ANSWER

if TYPE_CHECKING:
    from collections.abc import Iterator


def folded(*events: StreamEvent) -> Accumulator:
    numbers = itertools.count(1)
    accumulator = Accumulator(provider="p", model="m", new_id=lambda: f"call-{next(numbers)}")
    for event in events:
        accumulator.add(event)
    return accumulator


def own(**data: object) -> ProviderData:
    return ProviderData("p", "m", data)


def test_blocks_keep_the_order_in_which_they_were_first_seen() -> None:
    got = folded(TextDelta(7, "a"), ThinkingDelta(2, "x"), TextDelta(7, "b"), ThinkingDelta(2, "y"), TextDelta(0, "c"))
    assert got.message() == Message("assistant", (Text("ab"), Thinking("xy"), Text("c")))


def test_interleaved_calls_are_kept_apart_and_parsed_at_the_end() -> None:
    got = folded(
        ToolCallDelta(1, arguments='{"x":'),
        ToolCallDelta(2, "g", '{"y":2}', "raw-2"),
        ToolCallDelta(1, "f", "1}"),
        ToolCallDelta(1, raw_id="raw-1"),
        ToolCallDelta(3, "h"),
    )
    assert got.message().tool_calls == (
        ToolCall("call-1", "f", {"x": 1}, None, own(id="raw-1")),
        ToolCall("call-2", "g", {"y": 2}, None, own(id="raw-2")),
        ToolCall("call-3", "h", {}),
    )


def test_provider_data_is_merged_and_makes_a_block_of_its_own_where_nothing_is_visible() -> None:
    got = folded(
        ThinkingDelta(0, "hm"),
        BlockData(0, "thinking", {"signature": "s"}),
        BlockData(0, "thinking", {"id": "r"}),
        BlockData(1, "thinking", {"redacted": "x"}),
        BlockData(2, "text", {"phase": "p"}),
        TextDelta(3, ""),
        ThinkingDelta(4, ""),
    )
    assert got.message().parts == (Thinking("hm", own(signature="s", id="r")), Thinking("", own(redacted="x")), Text("", own(phase="p")))


def test_a_partial_message_is_only_its_text() -> None:
    got = folded(ThinkingDelta(0, "hm"), TextDelta(1, "Hel"), ToolCallDelta(2, "f", '{"x"'))
    assert got.message(complete=False) == Message("assistant", (Text("Hel"),))
    assert got.message().tool_calls == (ToolCall("call-2", "f", {}, '{"x"'),)


def test_usage_is_cumulative_and_the_finish_is_kept() -> None:
    got = folded(UsageReported(Usage(3, 1)), UsageReported(Usage(output_tokens=9)), Finished(FinishReason.STOP, "end_turn"))
    assert got.usage == Usage(3, 9)
    assert got.finish == Finished(FinishReason.STOP, "end_turn")
    assert folded().finish is None
    assert folded().message() == Message("assistant", ())


def test_what_is_no_stream_event_changes_nothing() -> None:
    assert folded(TextDelta(0, "a"), "noise").message() == folded(TextDelta(0, "a")).message()


@pytest.mark.parametrize(
    ("event", "visible"),
    [
        (TextDelta(0, "a"), True),
        (ToolCallDelta(0, "f"), True),
        (ToolCallDelta(0, arguments="{"), True),
        (ThinkingDelta(0, "hm"), False),
        (BlockData(0, "text", {"phase": "p"}), False),
        (UsageReported(Usage(1, 1)), False),
    ],
)
def test_output_is_what_a_person_could_see(event: StreamEvent, visible: bool) -> None:
    assert folded(event).has_output is visible


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("", ({}, None)),
        (" \n", ({}, None)),
        ("{}", ({}, None)),
        (' {"a": [1]} ', ({"a": [1]}, None)),
        ("[1]", ({}, "[1]")),
        ("null", ({}, "null")),
        ('{"a": 1', ({}, '{"a": 1')),
        ('{"a": 1}{"b": 2}', ({}, '{"a": 1}{"b": 2}')),
    ],
)
def test_arguments(text: str, parsed: tuple[dict[str, object], str | None]) -> None:
    assert parse_arguments(text) == parsed


@pytest.mark.parametrize(
    ("reason", "malformed"),
    [
        (FinishReason.TOOL_CALLS, [None, None]),
        (FinishReason.OTHER, [None, None]),
        (FinishReason.LENGTH, [None, ""]),
        (FinishReason.CONTENT_FILTER, [None, ""]),
        (FinishReason.REFUSAL, [None, ""]),
    ],
)
def test_a_call_cut_before_its_arguments_is_no_call_without_arguments(reason: FinishReason, malformed: list[str | None]) -> None:
    got = folded(ToolCallDelta(0, "list"), ToolCallDelta(1, "delete"), Finished(reason)).message()
    assert [call.malformed for call in got.tool_calls] == malformed


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.text(max_size=4)), max_size=20))
def test_each_block_holds_exactly_its_own_pieces(pieces: list[tuple[int, str]]) -> None:
    got = folded(*(TextDelta(index, text) for index, text in pieces)).message()
    texts = {index: "".join(text for other, text in pieces if other == index) for index, _ in pieces}
    assert [part.text for part in got.parts] == [text for text in texts.values() if text]


@pytest.mark.parametrize(
    ("events", "taken"),
    [
        (itertools.repeat(TextDelta(0, "x" * 100_000)), 83),
        (itertools.repeat(ThinkingDelta(0, "x" * 100_000)), 83),
        (itertools.repeat(ToolCallDelta(0, "f", "x" * 100_000)), 83),
        (itertools.repeat(BlockData(0, "thinking", {"signature": "x" * 100_000})), 83),
        (itertools.repeat(TextDelta(0, "ab")), 524_224),
        ((ToolCallDelta(index, "f") for index in itertools.count()), 8_192),
    ],
    ids=["text", "thinking", "arguments", "data", "tiny pieces", "calls"],
)
def test_an_answer_without_end_is_cut(events: Iterator[StreamEvent], taken: int) -> None:
    fold = Accumulator(provider="p", model="m", new_id=lambda: "id")
    for event in itertools.islice(events, taken):
        fold.add(event)
    with pytest.raises(StreamInterrupted, match=r"cut after 8,388,608 characters"):
        fold.add(next(events))
    assert len(fold.message(complete=False).text) <= MAX_ANSWER
