"""What a service says of a tool, pinned by a hash: any change of name, description, schema or annotations shows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_types import Tool

    from llmconfig.llm import JSONObject


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


def canonical(name: str, description: str, input_schema: JSONObject, annotations: Mapping[str, Any]) -> bytes:
    """The bytes that are hashed: JSON with sorted keys and no spaces."""
    parts = {"name": name, "description": description, "input_schema": input_schema, "annotations": annotations}
    return json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def define(name: str, description: str, input_schema: JSONObject, annotations: Mapping[str, Any]) -> tuple[ToolDefinition, int]:
    """The definition and its size in bytes."""
    pinned = canonical(name, description, input_schema, annotations)
    return ToolDefinition(name, description, input_schema, annotations, hashlib.sha256(pinned).hexdigest()), len(pinned)


def read_tool(tool: Tool) -> tuple[ToolDefinition, int]:
    """The definition in an SDK tool, and its size. A title counts as annotation, so that the hash pins it too."""
    hints = tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {}
    if tool.title:
        hints["title"] = tool.title
    return define(tool.name, _storable(tool.description or ""), tool.input_schema, hints)


def _storable(text: str) -> str:
    return text.replace("\x00", "\ufffd")  # Postgres stores no NUL
