"""One setting for how much a model thinks, between words of effort and budgets of tokens."""

from __future__ import annotations

from typing import Any

import pytest

from llmconfig.llm import EFFORTS, Reasoning
from llmconfig.wire.reasoning import BUDGETS, budget_of, effort_of, reasoning_of


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"reasoning_effort": "high"}, Reasoning("high")),
        ({"thinking_budget": 0}, Reasoning(None, 0)),
        ({"reasoning_effort": "low", "thinking_budget": 3000}, Reasoning("low", 3000)),
        ({"reasoning_effort": "enormous", "thinking_budget": True}, None),
        ({"thinking_budget": -1}, None),
    ],
)
def test_from_options(options: dict[str, Any], expected: Reasoning | None) -> None:
    assert reasoning_of(options) == expected


def test_every_effort_is_a_budget_and_back() -> None:
    assert tuple(BUDGETS) == EFFORTS
    for effort in EFFORTS:
        budget = budget_of(Reasoning(effort))
        assert effort_of(Reasoning(budget_tokens=budget), EFFORTS) == effort
    assert list(BUDGETS.values()) == sorted(BUDGETS.values())


def test_nothing_asked_is_nothing_said() -> None:
    assert budget_of(None) is None
    assert budget_of(Reasoning()) is None
    assert effort_of(None, EFFORTS) is None
    assert effort_of(Reasoning(), EFFORTS) is None


def test_the_nearest_word_that_is_spoken() -> None:
    spoken = ("low", "medium", "high")
    assert effort_of(Reasoning("max"), spoken) == "high"
    assert effort_of(Reasoning("none"), spoken) == "low"
    assert effort_of(Reasoning(budget_tokens=10_000_000), spoken) == "high"
    assert effort_of(Reasoning("medium"), spoken) == "medium"


def test_the_exact_number_outweighs_the_word_where_tokens_are_counted() -> None:
    assert budget_of(Reasoning("low", 5000)) == 5000
