"""What OpenAI's models take, by name."""

from __future__ import annotations

import pytest

from llmconfig.llm import EFFORTS
from llmconfig.wire.openai_models import answers_by_schema, efforts, reasons, spoken


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("o4-mini", "low medium high"),
        ("openai/gpt-oss-120b", "low medium high"),
        ("gpt-5", "minimal low medium high"),
        ("gpt-5-mini-2025-08-07", "minimal low medium high"),
        ("gpt-5-codex", "low medium high"),
        ("gpt-5-pro", "high"),
        ("gpt-5.1", "none low medium high"),
        ("gpt-5.1-codex", "low medium high"),
        ("gpt-5.1-codex-max", "low medium high xhigh"),
        ("gpt-5.4", "none low medium high xhigh"),
        ("gpt-5.4-pro", "medium high xhigh"),
        ("gpt-5.3-codex", "low medium high xhigh"),
        ("gpt-5.6-terra", "none low medium high xhigh max"),
        ("gpt-6-astra", "none low medium high xhigh max"),
    ],
)
def test_words_of_effort(model: str, words: str) -> None:
    assert efforts(model) == spoken(model) == tuple(words.split())


@pytest.mark.parametrize("model", ["our-deployment", "gpt-4o", "llama-4", "gpt-50000"])
def test_a_name_that_does_not_tell(model: str) -> None:
    assert efforts(model) is None
    assert spoken(model) == EFFORTS


def test_who_reasons() -> None:
    assert not any(map(reasons, ("gpt-4o", "ft:gpt-4o-mini:acme::1", "chatgpt-4o-latest", "openai/gpt-4.1", "gpt-5.2-chat-latest")))
    assert all(map(reasons, ("gpt-5", "gpt-5.4-mini", "o4-mini", "our-deployment")))


def test_who_answers_by_a_schema() -> None:
    assert all(map(answers_by_schema, ("gpt-4o", "gpt-4.1", "ft:gpt-4o-mini:acme::1", "o1", "gpt-5", "our-deployment")))
    assert not any(map(answers_by_schema, ("gpt-3.5-turbo", "gpt-4", "gpt-4-turbo", "openai/gpt-4", "chatgpt-4o-latest", "o1-mini")))
