"""JSON Schema reduced to the part that Gemini knows, always as a fresh copy.

https://ai.google.dev/gemini-api/docs/structured-output#json_schema_support. What it does not know it refuses with 400, or ignores:
`const` becomes an `enum`, exclusive bounds become inclusive ones, `oneOf` becomes `anyOf`, references are put in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor, isfinite
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote

from llmconfig.wire.schema import fresh, parameters

if TYPE_CHECKING:
    from llmconfig.llm import JSONObject

_KEPT: Final = ("type", "description", "minItems", "maxItems", "minimum", "maximum")
_FORMATS: Final = frozenset({"date-time", "date", "time", "duration"})
_TYPES: Final = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_MAX_NODES: Final = 2000
"""Subschemas of one tool: references that each name two others would else grow without bound."""
_MAX_DEPTH: Final = 32
_UNROLLED: Final = 2
"""How often a reference may lie within itself before it ends in an object of any kind."""


def function_parameters(schema: JSONObject) -> dict[str, Any] | None:
    """For `parametersJsonSchema`; None for a function without parameters."""
    reduced = parameters(reduced_schema(schema))
    return reduced if reduced["properties"] or reduced.get("additionalProperties") else None


def reduced_schema(schema: JSONObject) -> dict[str, Any]:
    """Of a schema that may be shared, and is not touched. Its own order of properties stays."""
    return _Reduction(schema).of(schema, (), 0)


class _Reduction:
    """Of one schema, whose root its references name. trail: the references that a subschema lies within."""

    def __init__(self, root: JSONObject) -> None:
        self._root = root
        self._left = _MAX_NODES

    def of(self, schema: object, trail: tuple[str, ...], depth: int) -> dict[str, Any]:
        self._left -= 1
        if not isinstance(schema, Mapping) or self._left < 0 or depth > _MAX_DEPTH:
            return {}  # anything
        node, trail = self._resolved(cast("JSONObject", schema), trail)
        out: dict[str, Any] = {key: fresh(node[key]) for key in _KEPT if _sound(key, node.get(key))}
        _add_values(node, out)
        _add_bounds(node, out)
        _add_format(node, out)
        self._add_members(node, out, trail, depth + 1)
        self._add_items(node, out, trail, depth + 1)
        self._add_choices(node, out, trail, depth + 1)
        return out

    def _resolved(self, node: JSONObject, trail: tuple[str, ...]) -> tuple[JSONObject, tuple[str, ...]]:
        """With `$ref` and `allOf` put in place; what stands beside a reference goes before what it names."""
        while isinstance(ref := node.get("$ref"), str):
            beside = {key: value for key, value in node.items() if key != "$ref"}
            if trail.count(ref) >= _UNROLLED or len(trail) > _MAX_DEPTH:
                return {"type": "object", **{key: value for key, value in beside.items() if key == "description"}}, trail
            node, trail = {**self._named(ref), **beside}, (*trail, ref)
        branches = node.get("allOf")
        if not isinstance(branches, (list, tuple)):
            return node, trail
        merged = {key: value for key, value in node.items() if key != "allOf"}
        for branch in cast("list[object]", branches):
            if isinstance(branch, Mapping):
                self._left -= 1
                if self._left > 0:
                    inner, trail = self._resolved(cast("JSONObject", branch), trail)
                    merged = _merged(merged, inner)
        return merged, trail

    def _named(self, ref: str) -> JSONObject:
        """What a local reference names; an empty schema for any other, since nothing is fetched."""
        if not ref.startswith("#"):
            return {}
        found: JSONObject = self._root
        for step in ref[1:].split("/")[1:]:
            inner: object = found.get(unquote(step).replace("~1", "/").replace("~0", "~"))
            if not isinstance(inner, Mapping):
                return {}
            found = cast("JSONObject", inner)
        return found

    def _add_members(self, node: JSONObject, out: dict[str, Any], trail: tuple[str, ...], depth: int) -> None:
        properties = node.get("properties")
        if isinstance(properties, Mapping):
            members = cast("JSONObject", properties)
            out["properties"] = {name: self.of(member, trail, depth) for name, member in members.items() if member is not False}
            required = [name for name in _names(node.get("required")) if name in out["properties"]]
            if required:
                out["required"] = required
        more = node.get("additionalProperties")
        if isinstance(more, bool):
            out["additionalProperties"] = more
        elif isinstance(more, Mapping):
            out["additionalProperties"] = self.of(cast("JSONObject", more), trail, depth)

    def _add_items(self, node: JSONObject, out: dict[str, Any], trail: tuple[str, ...], depth: int) -> None:
        items = node.get("items")
        first = node.get("prefixItems", items if isinstance(items, (list, tuple)) else None)  # a list of items: before 2020-12
        if _list(first):
            out["prefixItems"] = [self.of(item, trail, depth) for item in _list(first)]
        if isinstance(items, Mapping):
            out["items"] = self.of(cast("JSONObject", items), trail, depth)
        elif "array" in (out.get("type"), *_list(out.get("type"))) and "prefixItems" not in out:
            out["items"] = {}  # Gemini refuses an array without

    def _add_choices(self, node: JSONObject, out: dict[str, Any], trail: tuple[str, ...], depth: int) -> None:
        choices = [*_list(node.get("anyOf")), *_list(node.get("oneOf"))]
        if choices:
            out["anyOf"] = [self.of(choice, trail, depth) for choice in choices]


def _sound(key: str, value: object) -> bool:
    match key:
        case "type":
            return all(isinstance(each, str) and each in _TYPES for each in _list(value) or [value])
        case "description":
            return isinstance(value, str)
        case _:
            return _number(value) is not None


def _add_values(node: JSONObject, out: dict[str, Any]) -> None:
    """Texts and numbers are the only values that an `enum` may name, and no text may be empty."""
    given: list[object] = [node["const"]] if "const" in node else _list(node.get("enum"))
    values = [value for value in given if _number(value) is not None or (isinstance(value, str) and value)]
    if values:
        out["enum"] = values
    if given and "type" not in out:
        types = list(dict.fromkeys(kind for kind in map(_type_of, given) if kind))
        if types:
            out["type"] = types[0] if len(types) == 1 else types
    elif node.get("nullable") is True and isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]


def _add_bounds(node: JSONObject, out: dict[str, Any]) -> None:
    """Of whole numbers exactly; of others the bound itself is let in."""
    whole = out.get("type") == "integer"
    above, below = _number(node.get("exclusiveMinimum")), _number(node.get("exclusiveMaximum"))
    if above is not None:
        least = floor(above) + 1 if whole else above
        out["minimum"] = max(least, out.get("minimum", least))
    if below is not None:
        most = ceil(below) - 1 if whole else below
        out["maximum"] = min(most, out.get("maximum", most))


def _add_format(node: JSONObject, out: dict[str, Any]) -> None:
    """A format that Gemini does not know is told in words."""
    form = node.get("format")
    if not isinstance(form, str) or not form:
        return
    if form in _FORMATS:
        out["format"] = form
    else:
        out["description"] = f"{out.get('description', '')} (format: {form})".strip()


def _merged(one: JSONObject, other: JSONObject) -> dict[str, Any]:
    """Both at once, as `allOf` asks: members and demands of both, of everything else what came first."""
    merged: dict[str, Any] = {**other, **one}
    members, more = one.get("properties"), other.get("properties")
    if isinstance(members, Mapping) and isinstance(more, Mapping):
        merged["properties"] = {**cast("JSONObject", more), **cast("JSONObject", members)}
    required = dict.fromkeys((*_names(one.get("required")), *_names(other.get("required"))))
    return merged | ({"required": list(required)} if required else {})


def _list(value: object) -> list[Any]:
    return list(cast("list[Any]", value)) if isinstance(value, (list, tuple)) else []


def _names(value: object) -> list[str]:
    return [name for name in _list(value) if isinstance(name, str)]


def _number(value: object) -> int | float | None:
    if type(value) is int or (isinstance(value, float) and isfinite(value)):
        return value
    return None


def _type_of(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case _:
            return "null" if value is None else ""
