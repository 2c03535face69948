"""JSON Schema as Gemini takes it, always as a copy."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmconfig.wire.gemini_schema import function_parameters, reduced_schema

KNOWN = {
    *("type", "description", "enum", "format", "properties", "required", "additionalProperties"),
    *("items", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf"),
}


@pytest.mark.parametrize(
    ("schema", "reduced"),
    [
        ({"$schema": "x", "$id": "y", "title": "T", "type": "string", "pattern": "a+", "default": "b"}, {"type": "string"}),
        ({"const": "a"}, {"enum": ["a"], "type": "string"}),
        ({"const": True}, {"type": "boolean"}),
        ({"const": None}, {"type": "null"}),
        ({"const": [1]}, {}),
        ({"enum": ["a", "", 1, None, 0.5]}, {"enum": ["a", 1, 0.5], "type": ["string", "integer", "null", "number"]}),
        ({"type": "string", "enum": ["a"], "format": "uri"}, {"type": "string", "enum": ["a"], "description": "(format: uri)"}),
        (
            {"type": "string", "description": "When", "format": "date-time"},
            {"type": "string", "description": "When", "format": "date-time"},
        ),
        ({"description": "Where", "format": "uri"}, {"description": "Where (format: uri)"}),
        ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10}, {"type": "integer", "minimum": 1, "maximum": 9}),
        ({"type": "number", "exclusiveMinimum": 0.5, "minimum": 2}, {"type": "number", "minimum": 2}),
        ({"type": "integer", "exclusiveMaximum": 9.5, "exclusiveMinimum": True}, {"type": "integer", "maximum": 9}),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "odd", "minimum": "1", "description": 5}, {}),
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({"type": ["array", "null"], "items": True}, {"type": ["array", "null"], "items": {}}),
        ({"type": "array", "items": [{"type": "string", "title": "x"}]}, {"type": "array", "prefixItems": [{"type": "string"}]}),
        (
            {"type": "array", "items": {"const": 1}, "maxItems": 3},
            {"type": "array", "items": {"enum": [1], "type": "integer"}, "maxItems": 3},
        ),
        (
            {"oneOf": [{"const": "a"}, True], "anyOf": [{"type": "null"}]},
            {"anyOf": [{"type": "null"}, {"enum": ["a"], "type": "string"}, {}]},
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"title": "A"}, "b": False},
                "required": ["a", "b", ["c"]],
                "additionalProperties": False,
            },
            {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False},
        ),
        ({"additionalProperties": {"title": "x", "type": "string"}}, {"additionalProperties": {"type": "string"}}),
        ({"properties": {"b": {}}, "required": "b"}, {"properties": {"b": {}}}),
    ],
)
def test_reductions(schema: dict[str, Any], reduced: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)
    assert reduced_schema(schema) == reduced
    assert schema == before


def test_references_are_put_in_place() -> None:
    schema = {
        "$defs": {"a/b": {"type": "string", "description": "D"}, "to": {"$ref": "#/$defs/a~1b"}},
        "properties": {
            "one": {"$ref": "#/$defs/to", "description": "Mine"},
            "two": {"$ref": "#/$defs/none"},
            "three": {"$ref": "https://x"},
            "four": {"$ref": "#/$defs/a~1b/type"},
        },
    }
    got = reduced_schema(schema)["properties"]
    assert got == {"one": {"type": "string", "description": "Mine"}, "two": {}, "three": {}, "four": {}}


def test_all_of_is_merged() -> None:
    schema = {
        "$defs": {"named": {"properties": {"name": {"type": "string"}, "id": {"type": "integer"}}, "required": ["name"]}},
        "allOf": [{"$ref": "#/$defs/named"}, {"type": "object"}, True],
        "properties": {"id": {"type": "string"}},
        "required": ["id"],
    }
    assert reduced_schema(schema) == {
        "type": "object",
        "properties": {"name": {"type": "string"}, "id": {"type": "string"}},
        "required": ["id", "name"],
    }


def test_recursion_ends() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#", "description": "The next"}}}
    stub = {"type": "object", "description": "The next"}
    inner = {"type": "object", "description": "The next", "properties": {"next": stub}}
    assert reduced_schema(tree) == {"type": "object", "properties": {"next": inner | {"properties": {"next": inner}}}}
    assert reduced_schema({"allOf": [{"$ref": "#"}]}) == {"type": "object"}


def test_what_grows_without_bound_is_cut() -> None:
    doubling = {f"d{n}": {"properties": {"a": {"$ref": f"#/$defs/d{n + 1}"}, "b": {"$ref": f"#/$defs/d{n + 1}"}}} for n in range(25)}
    assert len(json.dumps(reduced_schema({"$defs": doubling, "$ref": "#/$defs/d0"}))) < 100_000
    many = reduced_schema({"allOf": [{"properties": {str(n): {}}} for n in range(5000)]})
    assert len(many["properties"]) < 2000
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"properties": {"a": deep}}
    assert len(json.dumps(reduced_schema(deep))) < 1000


def test_parameters_of_a_function() -> None:
    assert function_parameters({"type": "object", "properties": {}}) is None
    assert function_parameters({"additionalProperties": {"type": "string"}}) is not None
    variants = {"oneOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {}}}]}
    assert function_parameters(variants) == {"type": "object", "properties": {"b": {}, "a": {"enum": [1], "type": "integer"}}}


SCHEMAS: Any = st.recursive(
    st.dictionaries(
        st.sampled_from(["type", "const", "enum", "required", "exclusiveMinimum", "format", "$ref", "nullable"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["#", "#/allOf/0", "string", "array"]),
        max_size=4,
    ),
    lambda inner: st.dictionaries(
        st.sampled_from(["properties", "items", "anyOf", "oneOf", "allOf", "additionalProperties", "prefixItems", "required", "enum"]),
        inner | st.lists(inner | st.text(max_size=2), max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
        max_size=4,
    ),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(SCHEMAS)
def test_whatever_comes_only_known_words_go(schema: dict[str, Any]) -> None:
    before = repr(schema)
    for each in schemas(reduced_schema(schema)):
        assert each.keys() <= KNOWN
    assert repr(schema) == before


def schemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ()), *schema.get("prefixItems", ())]
    inner += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    return [schema, *(found for each in inner for found in schemas(each))]
