"""A run whose history outgrows its model: what is sent, what is told, and what is tried once more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from agent.loop import fitting
from agent.loop.intents import BeginAttempt, EndAttempt, EndRun, FindLarger
from llmconfig.llm import ContextTooLong, Overloaded, TextDelta, ToolCallDelta, Usage, UsageReported
from tests.agent.loop.doubles import CALLS, STOP, ListJournal, ScriptedProvider, Tools, runner
from tests.agent.loop.test_context import turn, user

if TYPE_CHECKING:
    from agent.loop.intents import Intent
    from llmconfig.llm import ModelRequest

HELLO = [TextDelta(0, "Hello"), STOP]
LONG = (*(message for index in range(8) for message in turn(f"t{index}", ask=3_300)), user("now"))


class Counting(ScriptedProvider):
    """Counts tokens, too: count is what it says, raises, or waits for."""

    def __init__(self, count: Any, *answers: Any) -> None:
        super().__init__(*answers)
        self.count = count
        self.counted: list[ModelRequest] = []
        self.asked = asyncio.Event()

    async def count_tokens(self, request: ModelRequest) -> int | None:
        self.counted.append(request)
        self.asked.set()
        if isinstance(self.count, Exception):
            raise self.count
        if self.count == "hangs":
            await asyncio.Event().wait()
        return self.count


class Knowing(ListJournal):
    """Knows models with larger windows."""

    async def commit(self, intent: Intent) -> Any:
        answer = await super().commit(intent)
        return ("big (Ours)",) if isinstance(intent, FindLarger) else answer


def notices(journal: ListJournal) -> list[str]:
    return [data["detail"] for type, data in journal.events if type == "run.notice"]


async def test_what_is_left_out_is_told_once_a_run() -> None:
    journal = ListJournal()
    provider = ScriptedProvider([ToolCallDelta(0, "crm__find", "{}", "raw"), CALLS], HELLO)
    await runner(provider, journal=journal, history=LONG, context_window=6_000, max_output_tokens=500).run()
    for request in provider.requests:
        assert request.messages[0].text.startswith("[Note: ")
        assert request.max_output_tokens == 500
    assert LONG[-1] in provider.requests[0].messages
    (notice,) = notices(journal)
    assert "longer than m reads (6,000 tokens)" in notice
    assert journal.types()[:4] == ["run.started", "step.started", "run.notice", "attempt.started"]
    assert journal.of(EndRun)[0].status == "completed"


async def test_a_run_that_goes_on_has_told_it_already() -> None:
    journal = ListJournal()
    await runner(ScriptedProvider(HELLO), journal=journal, history=LONG, context_window=6_000, max_output_tokens=500, resumed=True).run()
    assert notices(journal) == []


async def test_what_fits_is_sent_whole_and_nothing_is_said() -> None:
    journal, provider = ListJournal(), Counting(1, HELLO)
    await runner(provider, journal=journal, history=LONG, context_window=100_000).run()
    assert provider.requests[0].messages == LONG
    assert (notices(journal), provider.counted) == ([], [])


@pytest.mark.parametrize("policy", ["trim", "refuse"])
async def test_what_cannot_fit_is_refused_before_it_is_sent(policy: str) -> None:
    journal, provider = Knowing(), ScriptedProvider()
    history = LONG if policy == "refuse" else (user("x" * 35_000),)
    await runner(provider, journal=journal, history=history, context_window=6_000, max_output_tokens=500, history_policy=policy).run()
    assert (provider.requests, journal.of(BeginAttempt)) == ([], [])
    (ended,) = journal.of(EndRun)
    assert (ended.status, ended.error_kind) == ("failed", "context_too_long")
    assert "m reads 6,000, of which 500 are kept for the answer. Larger windows have: big (Ours)." in ended.error_detail
    assert "about 10,0" in ended.error_detail or policy == "refuse"


async def test_close_to_the_window_the_provider_counts_once() -> None:
    journal = ListJournal()
    provider = Counting(5_000, [ToolCallDelta(0, "crm__find", "{}", "raw"), CALLS], HELLO)
    await runner(provider, journal=journal, history=LONG, context_window=10_000, max_output_tokens=500).run()
    assert len(provider.counted) == 1
    assert provider.requests[0].messages == LONG
    assert journal.order.index("BeginAttempt") == 1


async def test_a_count_decides_what_a_guess_would_refuse() -> None:
    provider = Counting(5_000, HELLO)
    await runner(provider, journal=ListJournal(), history=(user("x" * 35_000),), context_window=9_000, max_output_tokens=500).run()
    assert len(provider.requests) == 1


@pytest.mark.parametrize("count", [Overloaded("busy"), "hangs", None])
async def test_without_a_count_the_guess_has_to_do(count: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "COUNT_S", 0.05)
    provider = Counting(count, HELLO)
    await runner(provider, journal=ListJournal(), history=LONG, context_window=10_000, max_output_tokens=500).run()
    assert (len(provider.counted), len(provider.requests)) == (1, 1)


async def test_what_was_measured_makes_a_count_needless() -> None:
    provider = Counting(1, HELLO)
    await runner(provider, journal=ListJournal(), history=LONG, context_window=10_000, measured=(3, 3_000)).run()
    assert provider.counted == []


async def test_a_measured_step_corrects_the_next() -> None:
    provider = ScriptedProvider([ToolCallDelta(0, "crm__find", "{}", "raw"), UsageReported(Usage(18_000, 9, 6_000)), CALLS], HELLO)
    await runner(provider, journal=ListJournal(), history=LONG, context_window=20_000, max_output_tokens=500).run()
    assert provider.requests[0].messages == LONG
    assert provider.requests[1].messages[0].text.startswith("[Note: ")


async def test_a_request_found_too_long_is_cut_and_sent_once_more() -> None:
    journal = ListJournal()
    provider = ScriptedProvider([ContextTooLong("prompt is too long: 210000 tokens > 200000 maximum", status=400)], HELLO)
    await runner(provider, journal=journal, history=LONG, context_window=12_000, max_output_tokens=500).run()
    whole, cut = provider.requests
    assert whole.messages == LONG
    assert 1 < len(cut.messages) < len(whole.messages)
    first, second = journal.of(EndAttempt)
    assert (first.status, first.error_kind, second.status) == ("failed", "context_too_long", "completed")
    assert first.attempt != second.attempt
    assert first.step == second.step == 1
    assert journal.types() == [
        "run.started",
        "step.started",
        "attempt.started",
        "usage.recorded",
        "attempt.failed",
        "run.notice",
        "attempt.started",
        "text.delta",
        "message.completed",
        "usage.recorded",
        "run.completed",
    ]
    (failed,) = (data for type, data in journal.events if type == "attempt.failed")
    assert failed["next"] == {"provider": "scripted", "model": "m", "config": "k"}


async def test_once_more_and_not_again() -> None:
    journal, refused = ListJournal(), ContextTooLong("too long")
    provider = ScriptedProvider([refused], [refused])
    await runner(provider, journal=journal, history=LONG, context_window=12_000).run()
    assert len(provider.requests) == 2
    (ended,) = journal.of(EndRun)
    assert (ended.status, ended.error_kind) == ("failed", "context_too_long")
    assert [data["next"] is None for type, data in journal.events if type == "attempt.failed"] == [False, True]


@pytest.mark.parametrize("changes", [{"history": (user("hi"),)}, {"history_policy": "refuse"}])
async def test_what_cannot_be_cut_is_not_sent_again(changes: dict[str, Any]) -> None:
    journal, provider = ListJournal(), ScriptedProvider([ContextTooLong("too long")])
    await runner(provider, journal=journal, **{"history": LONG, "context_window": 12_000, **changes}).run()
    assert len(provider.requests) == 1
    assert [data["next"] for type, data in journal.events if type == "attempt.failed"] == [None]


async def test_an_answer_that_had_begun_is_not_asked_for_again() -> None:
    provider = ScriptedProvider([TextDelta(0, "Hel"), ContextTooLong("too long")])
    await runner(provider, journal=ListJournal(), history=LONG, context_window=12_000).run()
    assert len(provider.requests) == 1


async def test_the_answer_is_no_longer_than_the_model_writes() -> None:
    provider = ScriptedProvider(HELLO)
    await runner(provider, journal=ListJournal(), context_window=200_000, output_limit=4_096, max_output_tokens=20_000).run()
    assert provider.requests[0].max_output_tokens == 4_096


async def test_a_cancel_while_it_counts_ends_the_run() -> None:
    journal, provider = ListJournal(), Counting("hangs")
    running = runner(provider, journal=journal, tools=Tools(), history=LONG, context_window=10_000)
    task = asyncio.create_task(running.run())
    await provider.asked.wait()
    running.stop.reason = "user"
    task.cancel()
    await task
    assert journal.of(EndRun)[0].status == "cancelled"
    assert journal.of(BeginAttempt) == []
