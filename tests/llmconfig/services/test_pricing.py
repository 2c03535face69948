"""What an attempt cost: to the cent where the price is known, and unknown where it is not."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.utils import timezone

from llmconfig.llm import Usage
from llmconfig.services import price_attempt

AT = datetime(2026, 11, 1, tzinfo=UTC)
MILLION = 1_000_000


def cost(usage: Usage, model: str = "claude-sonnet-4-5", provider_type: str = "anthropic", base_url: str = ""):
    return price_attempt(provider_type=provider_type, model=model, usage=usage, at=AT, base_url=base_url)


def test_disjoint_buckets_are_priced_once_each() -> None:
    """claude-sonnet-4-5: 3 in, 15 out, 0.30 cache read, 3.75 cache write, 6 written for an hour, for a million tokens."""
    usage = Usage(
        input_tokens=10_000, output_tokens=1_000, cache_read_tokens=50_000, cache_write_tokens=20_000, cache_write_1h_tokens=5_000
    )
    expected = (10_000 * 3 + 1_000 * 15 + 50_000 * Decimal("0.3") + 15_000 * Decimal("3.75") + 5_000 * 6) / Decimal(MILLION)
    found = cost(usage)
    assert found.amount == expected
    assert (found.currency, found.evidence) == ("USD", "measured")
    assert found.version.startswith("genai-prices ")


def test_sound_has_its_own_price() -> None:
    """gemini-2.5-flash: 0.30 in, 1 for sound; read from the cache 0.03 and 0.10."""
    usage = Usage(600, 0, 300, audio_tokens=400, cache_read_audio_tokens=200)
    expected = (200 * Decimal("0.3") + 400 * 1 + 100 * Decimal("0.03") + 200 * Decimal("0.1")) / Decimal(MILLION)
    assert cost(usage, "gemini-2.5-flash", "gemini").amount == expected
    alone = Usage(600, 0, 300, audio_tokens=9_999)
    assert cost(alone, "gemini-2.5-flash", "gemini").amount == (600 * 1 + 300 * Decimal("0.03")) / Decimal(MILLION)


def test_where_the_list_has_no_price_for_sound_it_is_input() -> None:
    assert cost(Usage(10, 10, 5, audio_tokens=4)) == cost(Usage(10, 10, 5))


def test_a_share_larger_than_its_whole_is_the_whole() -> None:
    usage = Usage(input_tokens=0, output_tokens=0, cache_write_tokens=1_000, cache_write_1h_tokens=5_000)
    assert cost(usage).amount == 1_000 * Decimal(6) / MILLION
    assert cost(Usage(input_tokens=1_000, output_tokens=0, cache_write_1h_tokens=5_000)).amount == 1_000 * Decimal(3) / MILLION


def test_a_cost_is_as_fine_as_the_ledger_keeps_it() -> None:
    """Otherwise an event would tell another amount than the row."""
    found = cost(Usage(input_tokens=0, output_tokens=0, cache_write_tokens=1), "google/gemini-2.5-flash", "openrouter")
    assert found.amount == Decimal("0.0000000833")


def test_an_openai_price() -> None:
    found = cost(Usage(input_tokens=600, output_tokens=100, cache_read_tokens=400), "gpt-4o", "openai")
    assert found.amount == (600 * Decimal("2.5") + 100 * 10 + 400 * Decimal("1.25")) / MILLION


def test_reasoning_is_not_charged_twice() -> None:
    assert cost(Usage(input_tokens=1, output_tokens=100, reasoning_tokens=90)) == cost(Usage(input_tokens=1, output_tokens=100))


@pytest.mark.parametrize(
    ("model", "provider_type", "usage"),
    [
        ("a-model-nobody-knows", "anthropic", Usage(input_tokens=1, output_tokens=1)),
        ("claude-sonnet-4-5", "anthropic", Usage()),
        ("claude-sonnet-4-5", "anthropic", Usage(input_tokens=1)),
        ("gpt-4o", "openai_compatible", Usage(input_tokens=1, output_tokens=1)),
        ("gpt-4o", "no-such-provider", Usage(input_tokens=1, output_tokens=1)),
    ],
)
def test_unknown_is_none_and_not_zero(model: str, provider_type: str, usage: Usage) -> None:
    found = cost(usage, model, provider_type)
    assert (found.amount, found.evidence) == (None, "unknown")


def test_a_compatible_server_is_known_by_its_address() -> None:
    usage = Usage(input_tokens=MILLION, output_tokens=0)
    known = cost(usage, "openai/gpt-4o", "openai_compatible", "https://openrouter.ai/api/v1")
    assert known.amount is not None
    assert known.amount > 0
    assert cost(usage, "openai/gpt-4o", "openai_compatible", "https://llm.example.com/v1").amount is None


def test_the_demo_costs_nothing_measured() -> None:
    found = cost(Usage(), "demo-1", "demo")
    assert (found.amount, found.evidence) == (Decimal(0), "measured")


@pytest.mark.parametrize(
    ("model", "evidence"),
    [("gpt-5.1", "measured"), ("gpt-4o-2024-08-06", "measured"), ("gpt-5.1-mini", "estimated"), ("no-such-model", "unknown")],
)
def test_a_price_found_by_a_pattern_of_names_is_an_estimate(model: str, evidence: str) -> None:
    assert price_attempt(provider_type="openai", model=model, usage=Usage(10, 10), at=timezone.now()).evidence == evidence
