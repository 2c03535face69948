"""Rate-limit headers as OpenAI, its imitators, Azure and Anthropic write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from llmconfig.llm import Allowance, RateLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SPANS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_MARK: Final = "ratelimit-"


def limits_from(headers: Mapping[str, str], *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> RateLimits | None:
    """None where no header tells of a limit. Names are matched without regard to case."""
    found = {name.lower(): value for name, value in headers.items() if _MARK in name.lower()}
    if not found:
        return None
    requests = _allowance(found, ("x-ratelimit-{}-requests", "anthropic-ratelimit-requests-{}"), now)
    tokens = _allowance(found, ("x-ratelimit-{}-tokens", "anthropic-ratelimit-tokens-{}"), now)
    return RateLimits(requests, tokens) if requests or tokens else None


def _allowance(found: Mapping[str, str], patterns: tuple[str, ...], now: Callable[[], datetime]) -> Allowance | None:
    for pattern in patterns:
        limit, left, reset = (found.get(pattern.format(word), "") for word in ("limit", "remaining", "reset"))
        if limit or left:
            return Allowance(_number(limit), _number(left), _seconds(reset, now))
    return None


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


def _seconds(text: str, now: Callable[[], datetime]) -> float | None:
    """`6m0s`, `20ms`, `12.5` (seconds) or a time such as `2026-01-27T12:00:30Z`."""
    if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text):
        return float(text)
    if text and not _SPAN.sub("", text):
        return sum(float(number) * _SPANS[unit] for number, unit in _SPAN.findall(text))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max((at.replace(tzinfo=at.tzinfo or UTC) - now()).total_seconds(), 0.0)
