"""The schema of an answer as vendors take it: whether it meets the rules of OpenAI's strict mode, and closed as Anthropic wants it.

https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas and
https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from llmconfig.wire.schema import fresh

if TYPE_CHECKING:
    from llmconfig.llm import JSONObject

NAME: Final = "answer"
"""What vendors that want a name for a schema are told."""

_FORMATS: Final = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_NUMBERS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_STRICT: Final = frozenset(
    ("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs", "description", "title")
) | {"pattern", "format", "minItems", "maxItems", *_NUMBERS}
_CLOSED: Final = frozenset(("type", "required", "enum", "const", "$ref", "title"))
_MAX_DEPTH: Final = 10
_NOTHING: Final[JSONObject] = {}


def is_strict(schema: JSONObject) -> bool:
    """Every object closed and all its properties required, no word that strict mode does not know, no choice at the root."""
    return schema.get("type") == "object" and "anyOf" not in schema and _strict(schema, 1)


def _strict(schema: object, depth: int) -> bool:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return False
    words = cast("JSONObject", schema)
    if not words.keys() <= _STRICT or not words.keys() & {"type", "anyOf", "$ref"} or words.get("format", "date") not in _FORMATS:
        return False
    properties = _mapping(words.get("properties"))
    if words.get("type") == "object":
        required = _list(words.get("required"))
        if words.get("additionalProperties") is not False or set(map(str, required)) != set(properties):
            return False
    inner = [*properties.values(), *_mapping(words.get("$defs")).values(), *_list(words.get("anyOf"))]
    inner += [words["items"]] if "items" in words else []
    return all(_strict(each, depth + 1) for each in inner)


class Open(ValueError):
    """The schema leaves something open that Anthropic wants closed: free keys, any type at all, or itself again within itself."""


def closed(schema: JSONObject) -> dict[str, Any] | None:
    """A copy with every object closed, and constraints that the API does not know as words in the descriptions; None where it cannot be.

    What it allows is allowed by the schema given, but for those constraints.
    """
    try:
        shape = _shape(schema)
        _unfold(shape, schema, frozenset(), set())
    except Open:
        return None
    return shape


def _shape(schema: object) -> dict[str, Any]:
    words = _mapping(schema)
    shape: dict[str, Any] = {key: fresh(value) for key, value in words.items() if key in _CLOSED}
    if "$defs" in words:
        shape["$defs"] = {name: _shape(each) for name, each in _mapping(words["$defs"]).items()}
    told = {key: value for key, value in words.items() if key not in _CLOSED and key not in _TOLD_OTHERWISE and key not in shape}
    for key in ("anyOf", "oneOf", "allOf"):
        if key in words:
            shape["allOf" if key == "allOf" else "anyOf"] = [_shape(each) for each in _list(words[key])]
    if not shape.keys() & {"type", "enum", "const", "anyOf", "allOf", "$ref"}:
        raise Open
    if _is(words, "object"):
        shape |= _object(words)
    if _is(words, "array"):
        shape["items"] = _shape(words.get("items"))
    if told.get("format") in _FORMATS | {"uri"}:
        shape["format"] = told.pop("format")
    if told.get("minItems") in (0, 1):
        shape["minItems"] = told.pop("minItems")
    said = [str(words.get("description", "")), json.dumps(fresh(told), ensure_ascii=False) if told else ""]
    if any(said):
        shape["description"] = " ".join(filter(None, said))
    return shape


_TOLD_OTHERWISE: Final = frozenset(
    ("$schema", "$defs", "description", "properties", "items", "additionalProperties", "anyOf", "oneOf", "allOf", "examples", "default")
)


def _object(words: JSONObject) -> dict[str, Any]:
    properties = _mapping(words.get("properties"))
    others: object = words.get("additionalProperties", True)
    if isinstance(others, Mapping) or (others and not properties) or "patternProperties" in words:
        raise Open
    return {"properties": {name: _shape(each) for name, each in properties.items()}, "additionalProperties": False}


def _unfold(shape: object, root: JSONObject, within: frozenset[str], done: set[str]) -> None:
    """Follow every reference once, so that one which leads back to itself, or nowhere that the API knows, is found."""
    for each in _list(shape):
        _unfold(each, root, within, done)
    for key, value in _mapping(shape).items():
        if key == "$ref":
            name = str(value).removeprefix("#/$defs/")
            definitions = _mapping(root.get("$defs"))
            if name in within or name not in definitions:
                raise Open
            if name not in done:
                _unfold(definitions[name], root, within | {name}, done)
                done.add(name)
        elif key not in ("$defs", "enum", "const"):
            _unfold(value, root, within, done)


def _is(words: JSONObject, kind: str) -> bool:
    said: object = words.get("type")
    return said == kind or kind in _list(said)


def _mapping(value: object) -> JSONObject:
    return cast("JSONObject", value) if isinstance(value, Mapping) else _NOTHING


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, (list, tuple)) else []
