"""A tool's schema as vendors accept it at the root, always as a copy."""

from __future__ import annotations

import copy
from types import MappingProxyType

from llmconfig.wire.schema import fresh, parameters


def test_an_ordinary_schema_keeps_its_content_and_key_order() -> None:
    schema = {"type": "object", "required": ["b"], "properties": {"b": {"type": "string", "enum": ["x"]}, "a": {"anyOf": [{}, {}]}}}
    assert parameters(schema) == schema
    assert list(parameters(schema)) == ["type", "required", "properties"]


def test_nothing_of_the_callers_schema_is_aliased() -> None:
    schema = {"type": "object", "properties": {"a": {"enum": ["x"]}}, "anyOf": [{"properties": {"b": {"enum": ["y"]}}}]}
    before = copy.deepcopy(schema)
    got = parameters(schema)
    got["properties"]["a"]["enum"].append("z")
    got["properties"]["b"]["enum"].append("z")
    assert schema == before


def test_a_schema_without_type_or_properties_gets_both() -> None:
    assert parameters({}) == {"type": "object", "properties": {}}
    assert parameters({"type": ["object", "null"], "properties": None}) == {"type": "object", "properties": {}}


def test_combinators_at_the_root_lend_their_properties() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": {"id": {"type": "integer"}},
        "oneOf": [{"properties": {"id": {"type": "string"}, "name": {"type": "string"}}, "required": ["name"]}, True, {"required": ["id"]}],
        "not": {"required": ["x"]},
    }
    assert parameters(schema) == {"type": "object", "properties": {"name": {"type": "string"}, "id": {"type": "integer"}}}


def test_fresh_takes_any_mapping_and_sequence() -> None:
    assert fresh(MappingProxyType({"a": (1, {"b": None})})) == {"a": [1, {"b": None}]}
