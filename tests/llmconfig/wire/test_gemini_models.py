"""What the names of Gemini's models tell."""

from __future__ import annotations

from typing import Any

import pytest

from llmconfig.llm import Reasoning
from llmconfig.wire.gemini_models import thinking_config, traits_of

SHOWN = {"includeThoughts": True}


@pytest.mark.parametrize(
    ("model", "reasoning", "config"),
    [
        ("gemini-3-pro-preview", None, SHOWN),
        ("gemini-3-pro-preview", Reasoning("medium"), SHOWN | {"thinkingLevel": "LOW"}),
        ("gemini-3.1-pro-preview", Reasoning("medium"), SHOWN | {"thinkingLevel": "MEDIUM"}),
        ("gemini-3.1-pro-preview", Reasoning("max"), SHOWN | {"thinkingLevel": "HIGH"}),
        ("gemini-3-flash-preview", Reasoning("none"), {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.8-flash", Reasoning("none"), {"thinkingLevel": "LOW"}),
        ("gemini-4-argon", Reasoning(budget_tokens=16000), SHOWN | {"thinkingLevel": "HIGH"}),
        ("models/gemini-flash-latest", Reasoning("low"), SHOWN | {"thinkingLevel": "LOW"}),
        ("gemini-2.5-flash", Reasoning("none"), {"thinkingBudget": 0}),
        ("gemini-2.5-flash", Reasoning("max"), SHOWN | {"thinkingBudget": 24576}),
        ("gemini-2.5-flash-lite", Reasoning(budget_tokens=100), SHOWN | {"thinkingBudget": 512}),
        ("models/gemini-2.5-pro", Reasoning("none"), {"thinkingBudget": 128}),
        ("gemini-2.5-pro", Reasoning(), SHOWN),
        ("gemini-2.5-flash-image", Reasoning("high"), {}),
        ("gemini-2.0-flash", Reasoning("high"), {}),
        ("gemini-1.5-pro", Reasoning("high"), {}),
        ("gemma-3-27b-it", Reasoning("high"), {}),
        ("tunedModels/my-model", Reasoning("high"), {}),
    ],
)
def test_how_a_model_is_told_to_think(model: str, reasoning: Reasoning | None, config: dict[str, Any]) -> None:
    assert thinking_config(model, reasoning) == config


@pytest.mark.parametrize(
    ("model", "modern"),
    [
        ("gemini-3-pro-preview", True),
        ("gemini-pro-latest", True),
        ("publishers/google/models/gemini-3.1-flash", True),
        ("tunedModels/my-model", True),
        ("gemini-2.5-pro", False),
        ("gemini-live-2.5-flash", False),
        ("gemma-3", False),
    ],
)
def test_the_generation_that_wants_signatures(model: str, modern: bool) -> None:
    assert traits_of(model).modern is modern
