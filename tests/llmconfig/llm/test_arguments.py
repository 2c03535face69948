"""Tool arguments as a model may write them, and as a database can store them."""

from __future__ import annotations

import json

import pytest

from llmconfig.llm import parse_arguments
from llmconfig.llm.events import MAX_DEPTH


@pytest.mark.parametrize("text", ["[1]", "{", '"x"', "nul", "[" * 100_000])
def test_what_is_no_object_is_kept_as_text(text: str) -> None:
    assert parse_arguments(text) == ({}, text)


def test_nul_and_lone_surrogates_become_replacement_characters_wherever_they_are() -> None:
    arguments, malformed = parse_arguments(r'{"a\u0000": ["\ud800x", {"b": "\u0000"}], "ok": "\ud83d\ude00", "n": 1}')
    assert malformed is None
    assert arguments == {"a\ufffd": ["\ufffdx", {"b": "\ufffd"}], "ok": "\U0001f600", "n": 1}


@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ('{"a":[', "]}")], ids=["objects", "arrays"])
def test_arguments_that_are_nested_too_deep_to_be_sent_again_are_none(opening: str, closing: str) -> None:
    levels = MAX_DEPTH // opening.count("[") // 2 if "[" in opening else MAX_DEPTH
    fits, beyond = (f"{opening * depth}1{closing * depth}" for depth in (levels, levels + 1))
    assert parse_arguments(fits) == (json.loads(fits), None)
    assert parse_arguments(beyond) == ({}, beyond)


def test_many_brackets_are_not_deep() -> None:
    text = json.dumps({"rows": [{"cells": [[]]}] * 1000})
    assert parse_arguments(text) == (json.loads(text), None)
