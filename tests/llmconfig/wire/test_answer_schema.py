"""Schemas of answers as vendors take them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from llmconfig.wire.answer_schema import closed, is_strict


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


TEXT = {"type": "string"}
DEEP: dict[str, Any] = thing(x=TEXT)
for _ in range(10):
    DEEP = thing(x=DEEP)


@pytest.mark.parametrize(
    "schema",
    [
        thing(),
        thing(a=TEXT, b={"type": ["integer", "null"], "minimum": 0}, c={"type": "array", "items": thing(d=TEXT)}),
        thing(a={"anyOf": [TEXT, {"type": "null"}]}, b={"$ref": "#/$defs/b"}) | {"$defs": {"b": thing(c=TEXT)}},
        thing(a={"type": "string", "format": "date"}),
    ],
)
def test_strict_mode_takes_it(schema: dict[str, Any]) -> None:
    assert is_strict(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
        thing(a=TEXT) | {"required": []},
        thing(a=TEXT) | {"required": "a"},
        thing(a=TEXT) | {"anyOf": [thing()]},
        thing(a=True),
        thing(a={}),
        thing(a={"type": "string", "format": "color"}),
        thing(a={"type": "string", "minLength": 1}),
        thing(a={"type": "array", "items": {"type": "object"}}),
        thing(a={"anyOf": [{}]}),
        thing(b={"$ref": "#/$defs/b"}) | {"$defs": {"b": {}}},
        {"anyOf": [thing()]},
        DEEP,
    ],
)
def test_strict_mode_does_not(schema: dict[str, Any]) -> None:
    assert not is_strict(schema)


def test_objects_are_closed_and_other_constraints_become_words() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "description": "A ticket.",
        "properties": {
            "title": {"type": "string", "minLength": 1, "description": "In short.", "examples": ["x"]},
            "due": {"type": "string", "format": "date"},
            "color": {"type": "string", "format": "color"},
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 3},
            "owners": {"type": ["array", "null"], "items": {"$ref": "#/$defs/person"}, "minItems": 2},
            "of": {"oneOf": [{"const": 1}, {"type": "object", "properties": {"x": {"type": "null"}}}]},
            "all": {"allOf": [{"$ref": "#/$defs/person"}, {"$ref": "#/$defs/person"}]},
        },
        "required": ["title"],
        "$defs": {"person": {"type": "object", "properties": {"name": TEXT}, "additionalProperties": False}},
    }
    before = copy.deepcopy(schema)
    got = closed(schema)
    assert schema == before
    person = {"type": "object", "properties": {"name": TEXT}, "additionalProperties": False}
    assert got == {
        "type": "object",
        "description": "A ticket.",
        "properties": {
            "title": {"type": "string", "description": 'In short. {"minLength": 1}'},
            "due": {"type": "string", "format": "date"},
            "color": {"type": "string", "description": '{"format": "color"}'},
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "description": '{"maxItems": 3}'},
            "owners": {"type": ["array", "null"], "items": {"$ref": "#/$defs/person"}, "description": '{"minItems": 2}'},
            "of": {"anyOf": [{"const": 1}, {"type": "object", "properties": {"x": {"type": "null"}}, "additionalProperties": False}]},
            "all": {"allOf": [{"$ref": "#/$defs/person"}, {"$ref": "#/$defs/person"}]},
        },
        "required": ["title"],
        "$defs": {"person": person},
        "additionalProperties": False,
    }
    Draft202012Validator.check_schema(got)


TREE = {"type": "object", "properties": {"of": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": TEXT},
        {"type": "object", "properties": {"a": TEXT}, "additionalProperties": TEXT},
        {"type": "object", "properties": {"a": {}}},
        {"type": "object", "properties": {"a": {"type": "array"}}},
        {"type": "object", "properties": {"a": True}},
        {"type": "object", "properties": {"a": TEXT}, "patternProperties": {"^x": TEXT}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/tree"}}, "$defs": {"tree": TREE}},
        {"type": "object", "properties": {"a": {"$ref": "#/properties/b"}, "b": TEXT}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/no"}}},
    ],
)
def test_what_is_left_open_cannot_be_closed(schema: dict[str, Any]) -> None:
    assert closed(schema) is None


def test_references_that_double_are_followed_once_each() -> None:
    definitions: dict[str, Any] = {f"d{n}": thing(a={"$ref": f"#/$defs/d{n + 1}"}, b={"$ref": f"#/$defs/d{n + 1}"}) for n in range(200)}
    schema = thing(a={"$ref": "#/$defs/d0"}) | {"$defs": {**definitions, "d200": TEXT}}
    assert closed(schema) == schema
