"""JSON Schema of a tool, reduced to what every vendor takes as the root of its parameters. Always a fresh copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmconfig.llm import JSONObject, ModelRequest
    from llmconfig.wire.names import ToolNames

# Anthropic and OpenAI both answer 400 to these at the root; deeper down they are fine.
_ROOT_COMBINATORS: Final = ("anyOf", "oneOf", "allOf")
_DROPPED_AT_ROOT: Final = frozenset((*_ROOT_COMBINATORS, "$schema", "$id", "enum", "not"))


def fresh(value: object) -> Any:
    """A deep copy of JSON in the same key order, as plain dicts and lists, so that no caller's schema is ever aliased."""
    if isinstance(value, Mapping):
        return {key: fresh(item) for key, item in cast("Mapping[str, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return [fresh(item) for item in cast("list[object]", value)]
    return value


def parameters(schema: JSONObject) -> dict[str, Any]:
    """The schema as an object with `properties`. Branches of a root combinator lend their properties, which become optional."""
    root: dict[str, Any] = {"type": "object", **fresh({key: value for key, value in schema.items() if key not in _DROPPED_AT_ROOT})}
    properties = root.get("properties")
    root["properties"] = properties if isinstance(properties, dict) else {}
    for branch in _branches(schema):
        lent = branch.get("properties")
        if isinstance(lent, Mapping):
            root["properties"] = fresh(cast("JSONObject", lent)) | root["properties"]
    root["type"] = "object"
    return root


def function_tools(
    request: ModelRequest, names: ToolNames, reduced: Callable[[JSONObject], dict[str, Any]] = parameters
) -> list[dict[str, Any]]:
    """The tools of a request as Chat Completions has them, and Ollama after it. reduced: a schema as the server takes it."""
    return [
        {
            "type": "function",
            "function": {"name": names.to_wire(tool.name), "description": tool.description, "parameters": reduced(tool.input_schema)},
        }
        for tool in request.tools
    ]


def _branches(schema: JSONObject) -> list[JSONObject]:
    found: list[JSONObject] = []
    for key in _ROOT_COMBINATORS:
        branches = schema.get(key)
        if isinstance(branches, (list, tuple)):
            found += [cast("JSONObject", item) for item in cast("list[object]", branches) if isinstance(item, Mapping)]
    return found
