"""What the demo provider answers by a schema meets it."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from llmconfig.providers.demo_instance import instance

TEXT = {"type": "string"}


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


BOTH = thing(b=TEXT) | {"additionalProperties": True}


@pytest.mark.parametrize(
    ("wanted", "made"),
    [
        (TEXT, "demo"),
        ({"type": "string", "minLength": 6}, "demo.."),
        ({"type": "string", "maxLength": 2}, "de"),
        ({}, "demo"),
        ({"const": 7}, 7),
        ({"default": None}, None),
        ({"enum": ["a", "b"]}, "a"),
        ({"type": "integer", "minimum": 1.5}, 2),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "exclusiveMinimum": 3, "maximum": 9}, 4),
        ({"type": "number", "minimum": 0.5, "maximum": 1}, 0.5),
        ({"type": "number", "maximum": -0.5}, -0.5),
        ({"type": ["null", "string"]}, None),
        ({"type": "boolean"}, False),
        ({"type": "array", "items": TEXT, "minItems": 2}, ["demo", "demo"]),
        ({"type": "array"}, []),
        ({"anyOf": [{"type": "null"}, TEXT]}, None),
        (thing(b=TEXT), {"b": "demo"}),
        ({"allOf": [BOTH, {"properties": {"c": TEXT}, "required": ["c"]}, True]}, {"b": "demo", "c": "demo"}),
        ({"$ref": "#/$defs/a~1b"}, {"b": "demo"}),
    ],
)  # fmt: skip
def test_it_is_small_and_fits(wanted: dict[str, Any], made: Any) -> None:
    schema = thing(a=wanted) | {"$defs": {"a/b": thing(b=TEXT)}}
    got = instance(schema)
    assert got == {"a": made}
    Draft202012Validator(schema).validate(got)


def test_only_what_is_required_is_made() -> None:
    assert instance({"type": "object", "properties": {"a": TEXT}}) == {}


def test_a_schema_that_holds_itself_or_refers_to_nothing_is_left() -> None:
    assert instance({"type": "object", "properties": {"a": {"$ref": "#/x/y"}}, "required": ["a"]}) == {"a": None}
    assert instance({"$ref": "#"}) == {}
