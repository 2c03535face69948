"""What a service says of a tool, pinned by a hash: any change of name, description, schema or annotations shows."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcp_types import Tool

    from llmconfig.llm import JSONObject


_LONGEST_NAME = 128  # the specification's, and what we store


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """annotations: the server's hints under their wire names (`readOnlyHint`, `destructiveHint`, `title` …): claims, not facts."""

    name: str
    description: str
    input_schema: JSONObject
    annotations: Mapping[str, Any]
    definition_hash: str

    @property
    def suggests_read_only(self) -> bool:
        return self.annotations.get("readOnlyHint") is True and not self.suggests_destructive

    @property
    def suggests_destructive(self) -> bool:
        """Only what the server says outright; the specification's default (destructive unless told otherwise) says nothing of this tool."""
        return self.annotations.get("destructiveHint") is True


class ToolListing(list[ToolDefinition]):
    """The tools of a service. left_out: in words, what its list held besides; "" where that is nothing."""

    left_out: str = ""


def canonical(name: str, description: str, input_schema: JSONObject, annotations: Mapping[str, Any]) -> bytes:
    """The bytes that are hashed: JSON with sorted keys and no spaces."""
    parts = {"name": name, "description": description, "input_schema": input_schema, "annotations": annotations}
    return json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def define(name: str, description: str, input_schema: JSONObject, annotations: Mapping[str, Any]) -> tuple[ToolDefinition, int]:
    """The definition and its size in bytes."""
    pinned = canonical(name, description, input_schema, annotations)
    return ToolDefinition(name, description, input_schema, annotations, hashlib.sha256(pinned).hexdigest()), len(pinned)


def read_tool(tool: Tool, scrub: Callable[[str], str] = str) -> tuple[ToolDefinition, int]:
    """The definition in an SDK tool, and its size. A title counts as annotation, so that the hash pins it too.

    scrub: masks the service's credentials, should it repeat them: what it lists is shown to people and sent to models.
    """
    hints = tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {}
    if tool.title:
        hints["title"] = tool.title
    described = scrub(storable(tool.description or ""))
    return define(tool.name, described, _storable_json(tool.input_schema, scrub), _storable_json(hints, scrub))


def is_usable_name(name: str) -> bool:
    """Whether a tool of this name can be stored, shown and addressed: not empty, not too long, no control or invisible characters."""
    return 0 < len(name) <= _LONGEST_NAME and name.isprintable()


def storable(text: str) -> str:
    """text without NUL, which Postgres does not store."""
    return text.replace("\x00", "\ufffd")


def _storable_json(value: Any, scrub: Callable[[str], str]) -> Any:
    """JSON that any database takes: no NUL, and no number without an end, as Python reads `1e999`."""
    match value:
        case str():
            return scrub(storable(value))
        case dict():
            return {scrub(storable(key)): _storable_json(item, scrub) for key, item in value.items() if not _is_endless(item)}
        case list():
            return [_storable_json(item, scrub) for item in value if not _is_endless(item)]
        case _:
            return value


def _is_endless(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
