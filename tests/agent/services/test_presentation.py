"""One shape for rows and events, and totals that hide no unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from agent.models import Attempt
from agent.services.presentation import message_json, money, run_json, when
from agent.services.runs import run_whole
from tests.agent.rows import answered, claimed, decision, queued_run, service_of, tool_call

if TYPE_CHECKING:
    from tests.llmconfig.people import Person


def test_a_moment_is_utc_with_a_z() -> None:
    assert when(None) is None
    assert when(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)) == "2026-01-02T03:04:05.000006Z"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, None),
        (Decimal("0E-10"), "0"),
        (Decimal("0.0012300000"), "0.00123"),
        (Decimal(1200), "1200"),
        (Decimal("1E-10"), "0.0000000001"),
    ],
)
def test_money_is_a_decimal_string(amount: Decimal | None, text: str | None) -> None:
    assert money(amount) == text


def test_what_the_event_says_is_what_the_row_says(alice: Person) -> None:
    run = queued_run(alice)
    told = answered(claimed(run), run, text="Hello").message
    stored = run.messages.get(role="assistant")
    assert told == message_json(stored)
    assert (told["role"], told["provider"], told["model"], told["finish_reason"], told["status"]) == (
        "assistant",
        "demo",
        "demo-1",
        "stop",
        "completed",
    )
    said = message_json(run.messages.get(role="user"))
    assert told["finish_raw"] == "end_turn"
    assert (said["provider"], said["model"], said["finish_reason"], said["finish_raw"]) == (None, None, None, None)


def test_a_run_says_what_happened_and_sums_up(alice: Person) -> None:
    run = queued_run(alice)
    claim = claimed(run)
    service = service_of(alice, "close")
    answered(claim, run, calls=(decision(tool_call("crm__close", id=7), service, "waiting"),))
    answered(claim, run, text="Done", step=2)
    shown = run_json(run_whole(alice.caller, run.id))
    assert [step["index"] for step in shown["steps"]] == [1, 2]
    assert shown["usage"] == {"input_tokens": 6, "output_tokens": 4, "cache_read_tokens": 0, "cache_write_tokens": 0, "reasoning_tokens": 0}
    assert (shown["cost"], shown["currency"], shown["error"]) == ("0", "USD", None)
    (call,) = shown["steps"][0]["tool_calls"]
    assert (call["name"], call["service"], call["arguments"], call["status"]) == ("close", "crm", {"id": 7}, "waiting")
    assert call["expires_at"].endswith("Z")


def test_a_total_with_an_unknown_part_is_unknown(alice: Person) -> None:
    run = queued_run(alice)
    claim = claimed(run)
    empty = run_json(run_whole(alice.caller, run.id))
    assert (empty["cost"], empty["usage"]["input_tokens"]) == (None, None)
    answered(claim, run, text="one")
    answered(claim, run, text="two", step=2)
    Attempt.objects.filter(step__index=2).update(cost=None, reasoning_tokens=None)
    shown = run_json(run_whole(alice.caller, run.id))
    assert (shown["cost"], shown["usage"]["reasoning_tokens"], shown["usage"]["input_tokens"]) == (None, None, 6)


def test_prices_in_two_currencies_do_not_add_up(alice: Person) -> None:
    run = queued_run(alice)
    claim = claimed(run)
    answered(claim, run, text="One", seq=4)
    answered(claim, run, text="Two", step=2, seq=8)
    first, second = Attempt.objects.all()
    Attempt.objects.filter(id=first.id).update(cost=1, currency="EUR")
    Attempt.objects.filter(id=second.id).update(cost=2, currency="EUR")
    assert (run_json(run)["cost"], run_json(run)["currency"]) == ("3", "EUR")
    Attempt.objects.filter(id=second.id).update(currency="USD")
    assert run_json(run)["cost"] is None
