"""What rate-limit headers say, in the words of each vendor."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llmconfig.llm import Allowance, RateLimits
from llmconfig.wire.errors import error_from
from llmconfig.wire.limits import limits_from

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def read(**headers: str) -> RateLimits | None:
    return limits_from({name.replace("_", "-"): value for name, value in headers.items()}, now=lambda: NOW)


def test_openai() -> None:
    got = read(
        X_RateLimit_Limit_Requests="500",
        x_ratelimit_remaining_requests="499",
        x_ratelimit_reset_requests="120ms",
        x_ratelimit_limit_tokens="30000",
        x_ratelimit_remaining_tokens="29980",
        x_ratelimit_reset_tokens="6m0s",
    )
    assert got == RateLimits(Allowance(500, 499, 0.12), Allowance(30000, 29980, 360.0))


def test_anthropic() -> None:
    got = read(
        anthropic_ratelimit_tokens_limit="50000",
        anthropic_ratelimit_tokens_remaining="0",
        anthropic_ratelimit_tokens_reset="2026-11-25T12:00:30Z",
    )
    assert got == RateLimits(None, Allowance(50000, 0, 30.0))


def test_headers_that_tell_of_no_limit() -> None:
    assert read(content_type="text/event-stream") is None
    assert read(x_ratelimit_policy="secret") is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("12.5", 12.5), ("1h2m3s", 3723.0), ("soon", None), ("", None), ("2026-11-25T11:00:00", 0.0)]
)
def test_resets(text: str, seconds: float | None) -> None:
    got = read(x_ratelimit_limit_requests="1", x_ratelimit_reset_requests=text)
    assert got is not None
    assert got.requests == Allowance(1, None, seconds)


@pytest.mark.parametrize("text", ["-1", "1e9", "many", "9" * 40])
def test_counts_that_are_none(text: str) -> None:
    got = read(x_ratelimit_limit_tokens=text)
    assert got is not None
    assert got.tokens == Allowance(None, None, None)


def test_an_error_keeps_them() -> None:
    error = error_from(429, b"{}", {"x-ratelimit-limit-requests": "5", "x-ratelimit-remaining-requests": "0"}, label="Vendor")
    assert error.limits == RateLimits(Allowance(5, 0), None)
    assert error.reworded("other").limits == error.limits
