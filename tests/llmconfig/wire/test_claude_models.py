"""What Claude's models take, by name."""

from __future__ import annotations

import pytest

from llmconfig.wire.claude_models import IMITATOR, claude

THREE = ("low", "medium", "high")
FIVE = (*THREE, "xhigh", "max")


@pytest.mark.parametrize(
    ("model", "adaptive", "budgets", "silence", "efforts"),
    [
        ("claude-3-5-haiku-20241022", False, False, True, ()),
        ("claude-3-7-sonnet-20250219", False, True, True, ()),
        ("claude-opus-4-20250514", False, True, True, ()),
        ("claude-sonnet-4-5-20250929", False, True, True, ()),
        ("claude-opus-4-5", False, True, True, THREE),
        ("claude-sonnet-4-6", True, True, True, (*THREE, "max")),
        ("claude-opus-4-7", True, False, True, FIVE),
        ("anthropic/claude-opus-4-8[1m]", True, False, True, FIVE),
        ("claude-sonnet-5", True, False, True, FIVE),
        ("claude-fable-5-2", True, False, False, FIVE),
        ("claude-mythos-preview", True, False, False, FIVE),
        ("claude-jupiter-v1-p", True, False, True, FIVE),
    ],
)
def test_how_a_model_is_asked_to_think(model: str, adaptive: bool, budgets: bool, silence: bool, efforts: tuple[str, ...]) -> None:
    known = claude(model)
    assert (known.adaptive, known.budgets, known.silence, known.efforts) == (adaptive, budgets, silence, efforts)
    assert known.thinks == (adaptive or budgets)


def test_the_longest_answers() -> None:
    assert [claude(name).output for name in ("claude-opus-4-1", "claude-opus-4-5", "claude-haiku-4-5")] == [32_000, 64_000, 64_000]


def test_who_answers_by_a_schema() -> None:
    assert [claude(name).schemas for name in ("claude-sonnet-4-20250514", "claude-haiku-4-5", "claude-opus-5")] == [False, True, True]


def test_whose_thoughts_are_bound_to_what_was_said_before() -> None:
    """The list of …/preserved-thinking; of a name without a version nobody knows."""
    bound = ("claude-fable-5-1", "claude-mythos-5-2", "claude-opus-5-5", "anthropic/claude-haiku-5-5", "claude-sonnet-6-20270301")
    free = ("claude-fable-5", "claude-opus-5", "claude-sonnet-5-20260901", "claude-opus-4-8", "claude-jupiter-v1-p")
    assert [claude(name).binds for name in (*bound, *free)] == [True] * 5 + [False] * 5


def test_models_of_others_are_asked_as_the_first_that_thought() -> None:
    assert claude("qwen3.5-plus") is claude("claude-2.1") is IMITATOR
