"""What the audit trail tells of services, their tools and tool calls: names and hashes, never arguments, tokens or a URL's query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.mcp.endpoint import masked
from llmconfig.tenancy.audit import SYSTEM, Actor, Outcome, record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.models import Service, ServiceTool, ToolCall, ToolGrant

_TOLD: Final = ("display_name", "transport", "auth_type", "is_enabled")
_MAX_BLOCKED: Final = 50
"""Tools of one listing that are told one by one."""


def told_of(service: Service) -> dict[str, Any]:
    return {name: getattr(service, name) for name in _TOLD} | {"url": masked(service.url), "shared": service.shared}


def note_service(action: str, actor: Actor, service: Service, details: Mapping[str, Any], *, outcome: Outcome = Outcome.ALLOWED) -> None:
    """service: as it was, with its id, also when it was deleted."""
    about = ("service", str(service.id), service.display_name)
    record(action, actor=actor, organization=service.organization_id, object=about, outcome=outcome, details=details)


def note_change(actor: Actor, service: Service, before: Mapping[str, Any], *, token: str) -> None:
    """One event for what changed, one for who may use it. token: `replaced`, `cleared` or ""."""
    after = told_of(service)
    changed: dict[str, Any] = {name: [before[name], after[name]] for name in after if before[name] != after[name] and name != "shared"}
    if token:
        changed["token"] = token
    if changed:
        note_service("service.changed", actor, service, changed)
    if before["shared"] != after["shared"]:
        note_service("service.shared" if after["shared"] else "service.unshared", actor, service, {})


def note_tool(action: str, actor: Actor, service: Service, tool: ServiceTool, details: Mapping[str, Any]) -> None:
    about = ("tool", f"{service.id}/{tool.name}", f"{service.slug}__{tool.name}")
    record(action, actor=actor, organization=service.organization_id, object=about, details=details)


def note_blocked(service: Service, tools: Sequence[ServiceTool]) -> None:
    """Their service defines them otherwise than what was approved."""
    for tool in tools[:_MAX_BLOCKED]:
        offered = (tool.pending or {}).get("definition_hash")
        details = {"reason": "definition_changed", "approved": tool.definition_hash, "offered": offered}
        note_tool("tool.blocked", SYSTEM, service, tool, details)
    if len(tools) > _MAX_BLOCKED:
        note_service("tool.blocked", SYSTEM, service, {"reason": "definition_changed", "and_more": len(tools) - _MAX_BLOCKED})


def note_call(action: str, actor: Actor, call: ToolCall, **more: Any) -> None:
    """call: with its step and run."""
    run = call.step.run
    about = ("tool_call", str(call.id), f"{call.service_slug}__{call.name}" if call.service_slug else call.name)
    details = {"run": run.id, "service": call.service_id, "definition": call.definition_hash, "arguments": call.arguments_hash, **more}
    record(action, actor=actor, organization=run.organization_id, object=about, details=details)


def note_grant(action: str, actor: Actor, grant: ToolGrant) -> None:
    service = grant.service
    about = ("grant", str(grant.id), f"{service.slug}__{grant.tool_name}")
    details = {"definition": grant.definition_hash, "run": grant.run_id, "service": service.id}
    record(action, actor=actor, organization=service.organization_id, object=about, details=details)
