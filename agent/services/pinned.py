"""How a tool's row takes what its service says of the tool: pinned at first, then waiting beside it until a person approves that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.mcp.policy import default_policy
from agent.models import ServiceTool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.mcp.definitions import ToolDefinition


def columns_of(definition: ToolDefinition) -> dict[str, Any]:
    return {
        "description": definition.description,
        "input_schema": dict(definition.input_schema),
        "annotations": dict(definition.annotations),
        "definition_hash": definition.definition_hash,
    }


def redefine(tool: ServiceTool, columns: Mapping[str, Any]) -> None:
    """Another definition, of which nobody has said yet that it only reads."""
    for name, value in columns.items():
        setattr(tool, name, value)
    tool.read_only = False
    if tool.policy == ServiceTool.Policy.AUTO:
        tool.policy = ServiceTool.Policy.ASK


def meet(tool: ServiceTool, definition: ToolDefinition) -> None:
    """What is not the approved definition waits, and the tool is blocked meanwhile; a change taken back is none."""
    if tool.definition_hash == definition.definition_hash:
        tool.pending = None
        tool.state = ServiceTool.State.APPROVED if tool.state == ServiceTool.State.CHANGED else tool.state
    elif tool.state == ServiceTool.State.NEW:
        redefine(tool, columns_of(definition))
    else:
        tool.pending, tool.state = columns_of(definition), ServiceTool.State.CHANGED


def accept_demo_tool(tool: ServiceTool, definition: ToolDefinition) -> None:
    """A tool of the demo service, which is a part of routekit: approved, and classified by what it says of itself.

    A policy that a person chose otherwise than this stays, but for an `auto` tool that reads no more.
    """
    tool.pending, tool.state = None, ServiceTool.State.APPROVED
    if tool.pk is not None and tool.definition_hash == definition.definition_hash:
        return
    was_default = tool.pk is None or tool.policy == default_policy(read_only=tool.read_only)
    redefine(tool, columns_of(definition))
    tool.read_only = tool.annotations.get("readOnlyHint") is True and not tool.is_declared_writing
    if was_default:
        tool.policy = default_policy(read_only=tool.read_only)
