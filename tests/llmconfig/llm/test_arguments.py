"""Tool arguments as a model may write them, and as a database can store them."""

from __future__ import annotations

import pytest

from llmconfig.llm import parse_arguments


@pytest.mark.parametrize("text", ["[1]", "{", '"x"', "nul", "[" * 100_000])
def test_what_is_no_object_is_kept_as_text(text: str) -> None:
    assert parse_arguments(text) == ({}, text)


def test_nul_and_lone_surrogates_become_replacement_characters_wherever_they_are() -> None:
    arguments, malformed = parse_arguments(r'{"a\u0000": ["\ud800x", {"b": "\u0000"}], "ok": "\ud83d\ude00", "n": 1}')
    assert malformed is None
    assert arguments == {"a\ufffd": ["\ufffdx", {"b": "\ufffd"}], "ok": "\U0001f600", "n": 1}
