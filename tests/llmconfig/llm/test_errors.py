"""The error tree: each with a kind of its own and words for people."""

from __future__ import annotations

import re

import pytest

from llmconfig import llm
from llmconfig.llm import ContextTooLong, InvalidRequest, ProviderError, RateLimited, errors

TREE = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ProviderError)]


@pytest.mark.parametrize("error", TREE, ids=lambda error: error.__name__)
def test_every_error_says_what_happened_and_what_to_do(error: type[ProviderError]) -> None:
    raised = error("Anthropic said no (400).", status=400)
    assert raised.message == f"Anthropic said no (400). {error.advice}"
    assert error.advice.endswith(".")
    assert str(raised) == raised.detail
    assert raised.status == 400
    assert raised.retry_after is None
    assert error("No.", advice="Ask elsewhere.").reworded("Not so.").message == "Not so. Ask elsewhere."


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (None, "Wait a moment and try again."),
        (30, "Wait a moment and try again."),
        (90, "It asks to wait 2 minutes: try again then, or choose another model."),
        (900, "It asks to wait 15 minutes: try again then, or choose another model."),
        (86_000, "It asks to wait 24 hours: try again then, or choose another model."),
    ],
)
def test_a_wait_that_is_no_moment_is_named(seconds: float | None, says: str) -> None:
    assert RateLimited("Slow down (429).", retry_after=seconds).message == f"Slow down (429). {says}"


def test_kinds_are_unique_and_the_tree_is_drawn_in_full() -> None:
    assert len({error.kind for error in TREE}) == len(TREE)
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    assert sorted([*drawn, "ProviderError"]) == sorted(error.__name__ for error in TREE)


def test_what_may_be_retried() -> None:
    assert {error.kind for error in TREE if error.retryable} == {
        "rate_limited",
        "overloaded",
        "timeout",
        "stream_interrupted",
        "provider_unavailable",
    }
    assert RateLimited("slow", retry_after=2.5).retry_after == 2.5
    assert issubclass(ContextTooLong, InvalidRequest)


def test_the_facade_exports_the_tree() -> None:
    assert {error.__name__ for error in TREE} <= set(llm.__all__)
    assert all(hasattr(llm, name) for name in llm.__all__)
    assert len(llm.__all__) == len(set(llm.__all__))
