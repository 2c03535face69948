"""The smallest thing that meets a JSON Schema: what the demo provider answers by one. Pure, deterministic."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPTH = 20
"""Levels beyond which a schema that holds itself is left."""


def instance(schema: Mapping[str, Any]) -> dict[str, Any]:
    """schema: of an object."""
    made = _instance(schema, schema, 0)
    return made if isinstance(made, dict) else {}


def _instance(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return None
    if "$ref" in schema:
        return _instance(_referred(str(schema["$ref"]), root), root, depth + 1)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if schema.get(key):
            return schema[key][0]
    for key in ("anyOf", "oneOf"):
        if schema.get(key) and "properties" not in schema:
            return _instance(schema[key][0], root, depth + 1)
    return _typed(schema, root, depth)


def _typed(schema: dict[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kinds = schema.get("type", "object" if "properties" in schema or "allOf" in schema else "string")
    match kinds[0] if isinstance(kinds, list) and kinds else kinds:
        case "object":
            return _object(schema, root, depth)
        case "array":
            return [_instance(schema.get("items", {"type": "string"}), root, depth + 1) for _ in range(min(schema.get("minItems", 0), 100))]
        case "integer" | "number" as kind:
            return _number(schema, whole=kind == "integer")
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return "demo".ljust(min(schema.get("minLength", 0), 1000), ".")[: schema.get("maxLength")]


def _object(schema: dict[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for branch in schema.get("allOf", ()):
        part = _instance(branch, root, depth + 1)
        made |= part if isinstance(part, dict) else {}
    properties = schema.get("properties", {})
    return made | {name: _instance(properties.get(name, {}), root, depth + 1) for name in schema.get("required", ())}


def _number(schema: dict[str, Any], *, whole: bool) -> float:
    least, most = schema.get("minimum"), schema.get("maximum")
    if (above := schema.get("exclusiveMinimum")) is not None:
        least = above + 1
    if (below := schema.get("exclusiveMaximum")) is not None:
        most = below - 1
    value: float = 0
    if least is not None and least > value:
        value = ceil(least) if whole else least
    if most is not None and most < value:
        value = floor(most) if whole else most
    return value


def _referred(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for step in reference.split("/")[1:]:
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found
