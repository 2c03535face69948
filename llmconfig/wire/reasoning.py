"""One neutral setting for how much a model thinks, and its two dialects: words of effort and budgets of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmconfig.llm import EFFORTS, Effort, Reasoning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmconfig.llm import JSONObject

BUDGETS: Final[Mapping[Effort, int]] = {
    "none": 0,
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 24576,
    "max": 32768,
}
"""Tokens that an effort stands for where a vendor counts tokens; a budget stands for the smallest effort that holds it."""


def reasoning_of(options: JSONObject) -> Reasoning | None:
    """From a config's `reasoning_effort` and `thinking_budget`; None where neither is set."""
    effort, budget = options.get("reasoning_effort"), options.get("thinking_budget")
    known = effort if effort in EFFORTS else None
    tokens = budget if isinstance(budget, int) and not isinstance(budget, bool) and budget >= 0 else None
    return None if known is None and tokens is None else Reasoning(known, tokens)


def budget_of(reasoning: Reasoning | None) -> int | None:
    """Tokens, 0 for none at all; None leaves it to the model."""
    if reasoning is None:
        return None
    if reasoning.budget_tokens is not None:
        return reasoning.budget_tokens
    return None if reasoning.effort is None else BUDGETS[reasoning.effort]


def effort_of(reasoning: Reasoning | None, spoken: Sequence[Effort]) -> Effort | None:
    """The nearest word that the vendor speaks; None leaves it to the model. spoken: in rising order, not empty."""
    if reasoning is None:
        return None
    wanted: Effort | None = reasoning.effort or _holding(reasoning.budget_tokens)
    if wanted is None or wanted in spoken:
        return wanted
    rank = EFFORTS.index(wanted)

    def distance(word: Effort) -> tuple[int, int]:
        return abs(EFFORTS.index(word) - rank), EFFORTS.index(word)

    return min(spoken, key=distance)


def _holding(budget: int | None) -> Effort | None:
    if budget is None:
        return None
    for effort, tokens in BUDGETS.items():
        if budget <= tokens:
            return effort
    return "max"
