"""Whether a tool call runs, asks a person, or is refused. Pure; what a server says of its own tool can only tighten it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from agent.mcp.definitions import ToolDefinition

Policy: TypeAlias = Literal["auto", "ask", "deny"]
ToolState: TypeAlias = Literal["approved", "new", "changed"]
Decision: TypeAlias = Literal["run", "ask", "refuse"]


def default_policy(*, read_only: bool) -> Policy:
    """What a tool starts with until somebody chooses."""
    return "auto" if read_only else "ask"


def is_read_only(definition: ToolDefinition, *, classified: bool) -> bool:
    """classified: whoever connected the service, or an admin, says that the tool only reads (security.md, 19).

    The server's annotations can take that back, never grant it.
    """
    return classified and not definition.suggests_destructive and definition.annotations.get("readOnlyHint") is not False


def decide(policy: Policy, *, read_only: bool, state: ToolState, granted: bool) -> Decision:
    """granted: a person said "remember" for this user, service and definition hash.

    `auto` runs what only reads; a tool not known to be read-only asks under `auto` too, unless granted.
    """
    if policy == "deny" or state != "approved":
        return "refuse"
    if granted or (policy == "auto" and read_only):
        return "run"
    return "ask"
