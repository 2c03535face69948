"""A history that is longer than its model reads: what goes, what stays, and that it stays the same from step to step."""

from __future__ import annotations

import sys
from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.loop import tokens
from agent.loop.context import Context, Cut, answer_limit
from agent.loop.fitting import describe, too_long
from agent.loop.shortening import HEAD, SHORT, TAIL, shortened
from llmconfig.llm import Media, Message, Text, ToolCall, ToolResult, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def said(text: str) -> Message:
    return Message("assistant", (Text(text),))


def step(name: str, *sizes: int) -> list[Message]:
    """An answer that calls tools, and their results of so many characters."""
    calls = tuple(ToolCall(f"{name}.{index}", "crm__find", {"q": name}) for index in range(len(sizes)))
    results = tuple(ToolResult(call.id, (Text("r" * size),)) for call, size in zip(calls, sizes, strict=True))
    return [Message("assistant", calls), Message("tool", results)]


def turn(name: str, *steps: Sequence[int], ask: int = 200, answer: int = 200) -> list[Message]:
    asked = [user(f"{name} {'q' * ask}")]
    worked = [message for index, sizes in enumerate(steps) for message in step(f"{name}.{index}", *sizes)]
    return [*asked, *worked, said("a" * answer)]


def size(messages: Sequence[Message]) -> int:
    return sum(map(tokens.of_message, messages))


def calls_and_results(messages: Sequence[Message]) -> tuple[set[str], set[str]]:
    parts = [part for message in messages for part in message.parts]
    return {part.id for part in parts if isinstance(part, ToolCall)}, {part.tool_call_id for part in parts if isinstance(part, ToolResult)}


SIZES = st.integers(0, 12_000)
TURNS = st.lists(
    st.tuples(SIZES, st.lists(st.lists(SIZES, min_size=1, max_size=3), max_size=3), st.integers(0, 3_000)), min_size=1, max_size=8
)


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    """Whole turns, the last of them possibly still open: at its question, or at results that the model has not seen."""
    messages = [
        message for index, (ask, steps, answer) in enumerate(draw(TURNS)) for message in turn(f"t{index}", *steps, ask=ask, answer=answer)
    ]
    if draw(st.booleans()):
        while messages[-1].role == "assistant":
            messages.pop()
    return messages


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@UNHURRIED
@given(histories(), st.integers(300, 12_000), st.integers(0, 200), st.floats(0.6, 3.0))
def test_what_is_sent(messages: list[Message], window: int, reserve: int, ratio: float) -> None:
    before = deepcopy(messages)
    context = Context(messages, window=window, reserve=reserve, fixed=50)
    context.measured_before(0, int(50 * ratio))
    fitted = context.fit()
    room = window - reserve
    # It fits, by a count of what is really in it, or the least there is does not.
    true_size = (50 + size(fitted.messages)) * int(50 * ratio) / 50
    newest = max(index for index, message in enumerate(messages) if message.role == "user")
    if fitted.fits:
        assert true_size <= room + 1
    else:
        least = [shortened(message)[0] for message in messages[newest:]]
        assert (50 + size(least) + 50) * int(50 * ratio) / 50 > room
    # The newest turn is there, its question word for word; no call is parted from its result.
    assert messages[newest] in fitted.messages
    assert [message.role for message in fitted.messages[-(len(messages) - newest) :]] == [message.role for message in messages[newest:]]
    calls, results = calls_and_results(fitted.messages)
    assert calls == results
    # What is counted is what is missing, and the note says so.
    kept = len(fitted.messages) - (1 if fitted.left_out else 0)
    assert kept == len(messages) - fitted.left_out
    if fitted.left_out:
        assert str(fitted.left_out) in fitted.messages[0].text
        assert messages[fitted.left_out].role == "user"
    changed = [new for old, new in zip(messages[fitted.left_out :], fitted.messages[-kept:], strict=True) if old is not new]
    assert all(message.role == "tool" for message in changed)
    assert fitted.is_whole == (list(fitted.messages) == messages)
    # What is stored was not touched, and a request that fits is left as it is.
    assert messages == before
    again = Context(fitted.messages, window=window, reserve=reserve, fixed=50)
    again.measured_before(0, int(50 * ratio))
    if fitted.fits:
        assert again.fit().messages == fitted.messages


@UNHURRIED
@given(histories(), st.integers(300, 12_000))
def test_nothing_is_left_out_that_fits(messages: list[Message], window: int) -> None:
    fitted = Context(messages, window=window).fit()
    if size(messages) <= window:
        assert (list(fitted.messages), fitted.fits) == (messages, True)
    elif fitted.is_whole:
        assert not fitted.fits  # there is nothing but the newest turn, and no result to shorten


def test_without_a_known_window_all_goes_in() -> None:
    messages = [message for index in range(50) for message in turn(f"t{index}", [9_000])]
    fitted = Context(messages).fit()
    assert (list(fitted.messages), fitted.fits) == (messages, True)


def test_old_results_are_shortened_before_anything_is_left_out() -> None:
    messages = [*turn("old", [40_000]), *turn("middle", [40_000]), user("now")]
    fitted = Context(messages, window=20_000).fit()
    assert (fitted.left_out, fitted.shortened) == (0, 1)
    (result,) = fitted.messages[2].parts
    assert isinstance(result, ToolResult)
    text = result.parts[0].text  # type: ignore[union-attr]
    assert text.startswith("r" * HEAD + "\n[… 38000 characters left out here")
    assert text.endswith("]\n" + "r" * TAIL)
    assert fitted.messages[6] is messages[6]
    fitted = Context(messages, window=4_000).fit()
    assert (fitted.left_out, fitted.shortened) == (0, 2)
    fitted = Context(messages, window=900).fit()
    assert (fitted.left_out, fitted.shortened) == (4, 1)
    fitted = Context(messages, window=500).fit()
    assert (fitted.left_out, fitted.shortened) == (8, 0)
    assert fitted.messages[-1] is messages[-1]


def test_results_that_the_model_has_not_seen_are_shortened_last() -> None:
    messages = [user("go"), *step("one", 30_000), *step("two", 30_000)]
    fitted = Context(messages, window=11_000).fit()
    assert (fitted.fits, fitted.shortened) == (True, 1)
    assert fitted.messages[-1] is messages[-1]
    fitted = Context(messages, window=5_000).fit()
    assert (fitted.fits, fitted.shortened) == (True, 2)


def test_media_of_a_shortened_result_become_words() -> None:
    result = ToolResult("1", (Text("a chart"), Media("image", "image/png", b"x")), is_error=True)
    message, changed = shortened(Message("tool", (result, ToolResult("2", (Text("short"),)))))
    assert changed == 1
    assert message.parts[0] == ToolResult("1", (Text("a chart\n\n[image left out here to fit the model's context window]"),), is_error=True)
    assert message.parts[1] == ToolResult("2", (Text("short"),))


@UNHURRIED
@given(st.lists(st.integers(0, 6_000), min_size=1, max_size=4))
def test_shortening_twice_is_shortening_once(sizes: list[int]) -> None:
    once, _ = shortened(step("s", *sizes)[1])
    assert shortened(once) == (once, 0)
    assert all(len(part.parts[0].text) <= SHORT for part in once.parts)  # type: ignore[union-attr]


def test_the_policy_refuse_leaves_nothing_out() -> None:
    messages = [*turn("old", [40_000]), user("now")]
    fitted = Context(messages, window=5_000, policy="refuse").fit()
    assert (fitted.fits, fitted.is_whole) == (False, True)
    assert fitted.tokens == size(messages)


@pytest.mark.parametrize("grown", ["by steps of one turn", "by turns"])
def test_the_beginning_stays_the_same_for_many_steps(grown: str) -> None:
    """For the provider's prompt cache: while 120 requests outgrow the window, what was sent before changes only when a cut moves."""
    window = 100_000 if grown == "by steps of one turn" else 20_000
    context = Context([*turn("old", [4_000]), user("go")], window=window)
    before: tuple[Message, ...] = ()
    cuts, changes, longest = [], 0, 0
    for index in range(120):
        fitted = context.fit()
        assert fitted.fits
        context.sent(fitted)
        changes += fitted.messages[: len(before)] != before
        before, longest = fitted.messages, max(longest, fitted.tokens)
        cuts.append(fitted.cut)
        for message in step(f"s{index}", 4_000) if window == 100_000 else turn(f"t{index}", [1_000]):
            context.append(message)
    assert sorted(cuts) == cuts
    assert 0 < changes <= 24
    assert longest > window * 0.8  # and the window is put to use


def test_another_run_cuts_in_the_same_place() -> None:
    messages = [message for index in range(30) for message in turn(f"t{index}", [1_500])]
    first = Context([*messages, user("one")], window=5_000).fit()
    second = Context([*messages, user("one"), said("answer"), user("two")], window=5_000).fit()
    assert first.left_out
    assert first.cut.start == second.cut.start
    assert second.messages[: len(first.messages)] == first.messages


def test_what_was_left_out_does_not_come_back_within_a_claim() -> None:
    context = Context([*turn("a", ask=9_000), *turn("b", ask=9_000), user("now")], window=4_000)
    fitted = context.fit()
    assert fitted.left_out
    context.sent(fitted)
    context.measured(Usage(int(fitted.raw * 0.5)))
    assert context.fit().cut == fitted.cut


def test_a_measured_size_corrects_the_guess() -> None:
    context = Context([user("x" * 3_500)], window=1_500)
    fitted = context.fit()
    assert fitted.fits
    context.sent(fitted)
    context.measured(Usage(500, 1, 1_000, 500))
    assert context.fit().tokens == pytest.approx(2_000, abs=1)
    assert not context.fit().fits
    context.measured(Usage())
    context.measured(Usage(0, 1))  # it says nothing of what was sent
    assert context.fit().tokens == pytest.approx(2_000, abs=1)


def test_an_earlier_runs_measure_is_taken_where_its_request_was_whole() -> None:
    messages = [*turn("a"), user("now")]
    context = Context(messages, window=100_000)
    context.measured_before(2, 2 * size(messages[:2]))
    assert context.fit().tokens == 2 * size(messages)
    small = Context(messages, window=100)
    small.measured_before(2, 90)  # more than fit: who knows what was sent
    assert small.fit().raw == small.fit().tokens


def test_a_count_is_wanted_once_and_only_near_the_window() -> None:
    messages = [user("x" * 3_500)]
    assert not Context(messages).wants_count
    assert not Context(messages, window=2_000).wants_count
    context = Context(messages, window=1_200)
    assert context.wants_count
    context.counted(context.fit(), None)
    assert not context.wants_count
    context = Context(messages, window=900)
    assert not context.fit().fits
    context.counted(context.fit(), 700)
    assert context.fit().fits
    measured = Context(messages, window=1_200)
    measured.measured_before(1, 1_000)
    assert not measured.wants_count


def test_a_request_found_too_long_is_cut_to_sixty_percent() -> None:
    context = Context([message for index in range(10) for message in turn(f"t{index}", ask=3_300)] + [user("now")], window=12_000)
    assert not context.tighten()  # nothing was sent yet
    fitted = context.fit()
    assert fitted.is_whole
    context.sent(fitted)
    assert context.tighten()
    cut = context.fit()
    assert cut.left_out
    assert cut.tokens <= 0.6 * 12_000
    context.sent(cut)
    newest = Context([user("x" * 3_500)], window=12_000)
    newest.sent(newest.fit())
    assert not newest.tighten()


def test_so_it_is_without_a_known_window() -> None:
    context = Context([message for index in range(10) for message in turn(f"t{index}", ask=3_300)] + [user("now")])
    whole = context.fit()
    context.sent(whole)
    assert context.tighten()
    assert context.fit().raw <= 0.6 * whole.raw
    refusing = Context(context.messages, policy="refuse")
    refusing.sent(refusing.fit())
    assert not refusing.tighten()


def test_an_empty_history_is_no_trouble() -> None:
    fitted = Context(window=10, fixed=20).fit()
    assert (fitted.messages, fitted.fits, fitted.cut) == ((), False, Cut(0, 0))


@pytest.mark.parametrize(
    ("asked", "limit", "window", "ask", "reserve"),
    [
        (None, None, None, None, 8_192),
        (None, 64_000, 200_000, None, 8_192),
        (None, 4_096, 200_000, 4_096, 4_096),  # the wire's own default would be refused
        (None, None, 8_000, None, 2_000),
        (20_000, 16_000, 200_000, 16_000, 16_000),
        (20_000, None, 16_000, 8_000, 8_000),
        (1_000, 16_000, 200_000, 1_000, 1_000),
    ],
)
def test_the_answer_has_its_room(asked: int | None, limit: int | None, window: int | None, ask: int | None, reserve: int) -> None:
    assert answer_limit(asked, limit=limit, window=window) == (ask, reserve)


def test_the_words() -> None:
    fitted = Context([*turn("a", [40_000]), *turn("b", [40_000]), user("now")], window=4_000).fit()
    assert "2 tool results were shortened" in describe(fitted, model="m", window=4_000)
    fitted = Context([user("a" * 9_000), user("b" * 9_000), user("now")], window=4_000).fit()
    told = describe(fitted, model="m", window=4_000)
    assert "m reads (4,000 tokens)" in told
    assert "the oldest message was left out" in told
    fitted = Context([user("x" * 70_000)], window=4_000).fit()
    told = too_long(fitted, model="m", window=4_000, reserve=1_000, policy="trim", larger=["a", "b", "c", "d"])
    assert "20,0" in told
    assert "m reads 4,000, of which 1,000" in told
    assert told.endswith("Larger windows have: a, b, c.")


def test_two_thousand_messages_cost_little_a_step() -> None:
    """Calls into this module, which time alone would not tell: a step touches what is new, not the whole history."""
    context = Context([message for index in range(500) for message in turn(f"t{index}", [3_000])], window=100_000)
    context.append(user("now"))
    context.sent(context.fit())
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        for message in step("new", 3_000):
            context.append(message)
        context.sent(context.fit())
    finally:
        sys.setprofile(None)
    assert len(context.messages) > 2_000
    assert calls < 100


def test_what_the_loop_says_itself_begins_no_turn() -> None:
    """An answer that is sent back to be put right belongs to the question it answers, which is never left out."""
    context = Context([*turn("old", ask=9_000), user("question " + "q" * 9_000), said("{}")], window=4_000)
    context.append(user("Your answer does not fit."), begins_turn=False)
    fitted = context.fit()
    assert fitted.left_out == 2
    assert [message.text[:8] for message in fitted.messages] == ["[Note: 2", "question", "{}", "Your ans"]
