"""agent.mcp.definitions"""

from __future__ import annotations

import hashlib

import pytest
from mcp_types import Tool, ToolAnnotations

from agent.mcp.definitions import define, is_usable_name, read_tool

SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}


def test_the_hash_is_sha256_over_canonical_json() -> None:
    pinned = '{"annotations":{},"description":"für","input_schema":{"a":1,"b":2},"name":"t"}'.encode()
    definition, size = define("t", "für", {"b": 2, "a": 1}, {})
    assert definition.definition_hash == hashlib.sha256(pinned).hexdigest()
    assert size == len(pinned)


@pytest.mark.parametrize("change", [
    {"name": "u"}, {"description": "other"}, {"input_schema": {"type": "object"}}, {"annotations": {"readOnlyHint": True}},
])  # fmt: skip
def test_any_change_shows_in_the_hash(change) -> None:
    whole = {"name": "t", "description": "does", "input_schema": SCHEMA, "annotations": {}}
    assert define(**whole)[0].definition_hash != define(**(whole | change))[0].definition_hash


def test_the_order_of_keys_does_not() -> None:
    turned = dict(reversed(SCHEMA.items()))
    assert define("t", "", SCHEMA, {})[0].definition_hash == define("t", "", turned, {})[0].definition_hash


def test_a_title_is_pinned_too() -> None:
    plain, _ = read_tool(Tool(name="t", input_schema=SCHEMA))
    titled, _ = read_tool(Tool(name="t", input_schema=SCHEMA, title="Delete nothing"))
    assert titled.annotations == {"title": "Delete nothing"}
    assert titled.definition_hash != plain.definition_hash


def test_hints_are_read_as_said() -> None:
    reads, _ = read_tool(Tool(name="t", input_schema=SCHEMA, annotations=ToolAnnotations(read_only_hint=True)))
    destroys, _ = read_tool(Tool(name="t", input_schema=SCHEMA, annotations=ToolAnnotations(destructive_hint=True)))
    silent, _ = read_tool(Tool(name="t", input_schema=SCHEMA))
    contradicting, _ = define("t", "", SCHEMA, {"readOnlyHint": True, "destructiveHint": True})
    assert [d.suggests_read_only for d in (reads, destroys, silent, contradicting)] == [True, False, False, False]
    assert [d.suggests_destructive for d in (reads, destroys, silent, contradicting)] == [False, True, False, True]


def test_what_a_database_could_not_store_is_made_storable() -> None:
    schema = {"type": "object", "properties": {"a\x00": {"enum": ["b\x00", 1, float("nan")], "maximum": float("inf"), "minimum": 0.5}}}
    definition, _ = read_tool(Tool(name="t", description="a\x00b", title="c\x00", input_schema=schema))
    assert definition.description == "a\ufffdb"
    assert definition.annotations == {"title": "c\ufffd"}
    assert definition.input_schema == {"type": "object", "properties": {"a\ufffd": {"enum": ["b\ufffd", 1], "minimum": 0.5}}}


@pytest.mark.parametrize("name", ["find", "weather.get_current", "a/b c", "x" * 128, "été"])
def test_names_that_can_be_used(name: str) -> None:
    assert is_usable_name(name)


@pytest.mark.parametrize("name", ["", "x" * 129, "a\x00b", "a\nb", "find\u200b", "\u202edne"])
def test_names_that_cannot(name: str) -> None:
    assert not is_usable_name(name)
