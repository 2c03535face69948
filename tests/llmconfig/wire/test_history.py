"""The repair pass: whatever the conversation looks like, what is encoded is well formed."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmconfig.llm import InvalidRequest, Media, Message, ProviderData, Text, Thinking, ToolCall, ToolResult
from llmconfig.wire.history import NO_BEGINNING, NO_RESULT, SILENT_FAILURE, repair
from tests.llmconfig.wire.streams import user

OWN = ProviderData("p", "m", {"signature": "s", "id": "raw"})
FOREIGN = ProviderData("q", "m", {"signature": "s", "id": "raw"})
CHANGED_MODEL = ProviderData("p", "m2", {"signature": "s", "id": "raw"})
PICTURE = Media("image", "image/png", b"png")


def repaired(*messages: Message) -> tuple[Message, ...]:
    return repair(messages, provider="p", model="m", seals=frozenset({"signature"}))


def assistant(*parts: Text | Thinking | ToolCall) -> Message:
    return Message("assistant", parts)


def answered(*ids: str) -> Message:
    return Message("tool", tuple(ToolResult(id_, (Text(f"result of {id_}"),)) for id_ in ids))


def test_a_sound_conversation_is_left_as_it_is() -> None:
    sound = (
        user("hi"),
        assistant(Thinking("hm", OWN), Text("ok", OWN), ToolCall("a", "t", {}, None, OWN)),
        answered("a"),
        assistant(Text("done")),
        user("thanks"),
    )
    assert repaired(*sound) == sound


def test_consecutive_roles_are_merged() -> None:
    assert repaired(user("a"), user("b"), assistant(Text("c")), assistant(Text("d"))) == (
        Message("user", (Text("a"), Text("b"))),
        assistant(Text("c"), Text("d")),
    )


def test_bug_01_thinking_of_another_provider_or_model_is_dropped_and_its_data_stripped() -> None:
    for data in (FOREIGN, CHANGED_MODEL):
        got = repaired(user("hi"), assistant(Thinking("hm", data), Text("ok", data), ToolCall("a", "t", {}, None, data)), answered("a"))
        assert got[1] == assistant(Text("ok"), ToolCall("a", "t", {}))


def test_a_text_that_is_only_a_seal_is_kept_for_its_own_model() -> None:
    for data, kept in ((OWN, True), (FOREIGN, False), (ProviderData("p", "m", {"id": "raw"}), False), (None, False)):
        got = repaired(user("hi"), assistant(Text("ok"), Text("", data)))
        assert got[1] == (assistant(Text("ok"), Text("", data)) if kept else assistant(Text("ok")))


def test_bug_02_a_thought_with_an_empty_signature_is_never_sent_back() -> None:
    unsigned = Thinking("hm", ProviderData("p", "m", {"signature": ""}))
    assert repaired(user("hi"), assistant(unsigned, Text("ok")), assistant(Thinking("bare"), Text("ok"))) == (
        user("hi"),
        assistant(Text("ok"), Text("ok")),
    )


def test_bug_04_a_thought_without_its_follower_is_dropped() -> None:
    assert repaired(user("hi"), assistant(Text("ok"), Thinking("hm", OWN), Thinking("hm", OWN))) == (user("hi"), assistant(Text("ok")))


def test_bug_12_empty_and_thinking_only_messages_are_dropped_and_their_neighbours_merged() -> None:
    empty = (assistant(), assistant(Text(" \n")), assistant(Thinking("hm", OWN)), assistant(Thinking("hm", FOREIGN)), Message("user", ()))
    assert repaired(user("a"), *empty, user("b")) == (Message("user", (Text("a"), Text("b"))),)


def test_bug_06_a_call_without_a_result_gets_an_error_and_a_result_without_a_call_goes() -> None:
    got = repaired(
        user("hi"), assistant(ToolCall("a", "t", {}), ToolCall("b", "t", {})), answered("b", "stray"), answered("lost"), user("so?")
    )
    assert got[2] == Message("tool", (ToolResult("a", (Text(NO_RESULT),), is_error=True), ToolResult("b", (Text("result of b"),))))
    assert got[3] == user("so?")
    assert len(got) == 4


def test_bug_15_results_stand_in_call_order_directly_after_their_message() -> None:
    got = repaired(user("hi"), assistant(ToolCall("a", "t", {}), ToolCall("b", "t", {})), answered("b"), user("wait"), answered("a"))
    assert got[2] == answered("a", "b")
    assert got[3] == user("wait")


def test_two_answers_with_calls_are_not_merged_across_their_results() -> None:
    first, second = assistant(ToolCall("a", "t", {})), assistant(ToolCall("b", "t", {}))
    assert repaired(user("hi"), first, second, answered("a", "b")) == (user("hi"), first, answered("a"), second, answered("b"))


def test_the_first_result_of_a_call_counts() -> None:
    later = Message("tool", (ToolResult("a", (Text("later"),)),))
    assert repaired(user("hi"), assistant(ToolCall("a", "t", {})), answered("a"), later)[2:] == (answered("a"),)


def test_blank_output_is_dropped_and_a_silent_failure_gets_words() -> None:
    results = (
        ToolResult("a", (Text(" "), PICTURE)),
        ToolResult("b", (), is_error=True),
        ToolResult("c", (Text(""),)),
    )
    got = repaired(user("hi"), assistant(*(ToolCall(id_, "t", {}) for id_ in "abc")), Message("tool", results))
    assert got[2] == Message(
        "tool", (ToolResult("a", (PICTURE,)), ToolResult("b", (Text(SILENT_FAILURE),), is_error=True), ToolResult("c", ()))
    )


def test_a_call_that_is_there_twice_is_sent_once() -> None:
    once = ToolCall("c1", "find", {})
    again = Message("assistant", (Text("again"), replace(once)))
    told = (user("a"), Message("assistant", (once, once)), Message("tool", (ToolResult("c1", (Text("x"),)),)), again, user("b"))
    fixed = repair(told, provider="p", model="m")
    assert [call.id for message in fixed for call in message.tool_calls] == ["c1"]
    assert [len(message.parts) for message in fixed] == [1, 1, 1, 1, 1]


def test_a_conversation_without_its_beginning_gets_one() -> None:
    first, *rest = repair((Message("assistant", (Text("Hello"),)), user("Hi")), provider="p", model="m")
    assert (first.role, first.text) == ("user", NO_BEGINNING)
    assert [message.role for message in rest] == ["assistant", "user"]


def test_a_medium_that_was_refused_does_not_end_the_conversation() -> None:
    """Its message got no answer, so that the next one joins it in the same turn."""
    film = Message("user", (Media("video", "video/mp4", b"x", "film.mp4"),))
    with pytest.raises(InvalidRequest, match="film"):
        repair((film,), provider="p", model="m", carries=lambda _: False)
    (said,) = repair((film, user("Never mind.")), provider="p", model="m", carries=lambda _: False)
    assert [type(part) for part in said.parts] == [Text, Text]
    assert "left out" in said.text


def test_parts_in_a_message_of_the_wrong_role_are_dropped() -> None:
    odd = Message("assistant", (PICTURE, ToolResult("z", ()), Text("ok")))
    assert repaired(Message("user", (Text("hi"), PICTURE, Thinking("hm"))), odd) == (
        Message("user", (Text("hi"), PICTURE)),
        assistant(Text("ok")),
    )


DATA = st.sampled_from([None, OWN, FOREIGN])
ASSISTANT = st.builds(
    lambda parts: Message("assistant", tuple(parts)),
    st.lists(
        st.one_of(
            st.builds(Text, st.sampled_from(["", "ok"]), DATA),
            st.builds(Thinking, st.just("hm"), DATA),
            st.builds(lambda id_, data: ToolCall(id_, "t", {}, None, data), st.uuids().map(str), DATA),
        ),
        max_size=4,
    ),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    messages = draw(st.lists(st.one_of(st.sampled_from([user("hi"), user("")]), ASSISTANT), max_size=8))
    ids = [call.id for message in messages for call in message.tool_calls]
    results = draw(st.lists(st.lists(st.sampled_from([*ids, "stray"]), max_size=3), max_size=4))
    for some in results:
        messages.insert(draw(st.integers(0, len(messages))), answered(*some))
    return messages


@settings(deadline=None)
@given(conversations())
def test_any_conversation_comes_out_well_formed_and_stays_so(messages: list[Message]) -> None:
    before = copy.deepcopy(messages)
    got = repaired(*messages)
    assert messages == before
    assert repaired(*got) == got
    for message, following in zip_longest(got, got[1:]):
        assert message.parts
        assert following is None or following.role != message.role
        if message.tool_calls:
            assert following is not None
            assert [part.tool_call_id for part in following.parts] == [call.id for call in message.tool_calls]
        if message.role == "assistant":
            assert not isinstance(message.parts[-1], Thinking)
        for part in message.parts:
            assert getattr(part, "provider_data", None) in (None, OWN)
    expected = [call.id for message in before for call in message.tool_calls]
    assert [call.id for message in got for call in message.tool_calls] == expected
