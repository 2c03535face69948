"""What a service says its tools are: asked over the network, noted in its row, pinned as its tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agent.mcp.definitions import ToolListing
from agent.mcp.errors import ServiceError, ServiceTimeout, ServiceUnauthorized, ServiceUnreachable
from agent.models import Service, ServiceTool
from agent.services.endpoints import egress, open_endpoint
from agent.services.pinned import accept_demo_tool, columns_of, meet
from agent.services.recorded import note_blocked, note_service
from llmconfig.services import waiting_place
from llmconfig.tenancy.audit import SYSTEM, Actor, Outcome
from llmconfig.vault import Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from agent.mcp.definitions import ToolDefinition
    from llmconfig.tenancy.caller import Caller


@dataclass(frozen=True, slots=True)
class Listing:
    """What a service said when it was asked for its tools: definitions and what was left out, or why not. latency_ms: with connecting."""

    asked_at: datetime
    latency_ms: int
    definitions: Sequence[ToolDefinition] = ()
    error: ServiceError | None = None
    left_out: str = ""


def refresh_tools(*, service: Service, caller: Caller | None = None) -> dict[str, Any]:
    """Connect, list the tools and pin them. {"ok", "latency_ms", "tools", "error": {"kind", "detail"} | None}. caller: who tests it."""
    listing = ask_tools(service, actor=Actor.of(caller) if caller else SYSTEM)
    return record_listing(service=service, listing=listing, caller=caller)


def ask_tools(service: Service, *, actor: Actor = SYSTEM) -> Listing:
    """Connect and list. Network: never call it inside a transaction. Raises Unavailable when too many are asked at once."""
    from agent.mcp.pool import probe  # noqa: PLC0415  # the MCP SDK is slow to import

    began = timezone.now()
    if service.auth_type == Service.Auth.BEARER and not service.token:
        return Listing(began, 0, error=ServiceUnauthorized(f"{service.display_name} needs a token and has none."))
    found, error = ToolListing(), None
    try:
        with waiting_place(str(service.owner_id or service.organization_id)):
            found = async_to_sync(probe)(open_endpoint(service, purpose="test", actor=actor), egress())
    except ServiceError as raised:
        error = raised
    except Unreadable:
        error = ServiceUnauthorized(f"The token of {service.display_name} cannot be opened.")
    return Listing(began, int((timezone.now() - began).total_seconds() * 1000), found, error, found.left_out)


def record_listing(*, service: Service, listing: Listing, caller: Caller | None = None) -> dict[str, Any]:
    status, detail = _status_of(listing)
    with transaction.atomic():
        asked = Service.objects.filter(id=service.id, secret_version=service.secret_version)  # not one that changed meanwhile
        noted = asked.update(status=status, status_detail=detail[:500], last_tested_at=listing.asked_at)
        if noted and listing.error is None:
            pin_tools(service=service, definitions=listing.definitions)
        if caller is not None:
            outcome = Outcome.ALLOWED if listing.error is None else Outcome.FAILED
            note_service("service.tested", Actor.of(caller), service, {"status": status}, outcome=outcome)
    service.refresh_from_db()
    return {
        "ok": listing.error is None,
        "latency_ms": listing.latency_ms,
        "tools": [definition.name for definition in listing.definitions],
        "error": None if listing.error is None else {"kind": listing.error.kind, "detail": listing.error.message},
    }


def _status_of(listing: Listing) -> tuple[Service.Status, str]:
    match error := listing.error:
        case None:
            return Service.Status.CONNECTED, listing.left_out
        case ServiceUnauthorized():
            return Service.Status.UNAUTHORIZED, error.message
        case ServiceUnreachable() | ServiceTimeout():
            return Service.Status.UNREACHABLE, error.message
        case _:
            return Service.Status.ERROR, error.message


def pin_tools(*, service: Service, definitions: Sequence[ToolDefinition]) -> None:
    """Bring the pinned tools up to date. Those seen while connecting are approved by that; later ones are new, changed ones blocked.

    The demo service is a part of routekit: what a release adds to it or changes is accepted.
    """
    known = {tool.name: tool for tool in service.tools.select_for_update()}  # a person may be choosing what one may do
    first = bool(Service.objects.filter(id=service.id, pinned_at=None).update(pinned_at=timezone.now()))
    state = ServiceTool.State.APPROVED if first else ServiceTool.State.NEW
    take = accept_demo_tool if service.is_demo else meet
    blocked = []
    for position, definition in enumerate(definitions):
        tool = known.pop(definition.name, None) or ServiceTool(service=service, state=state, name=definition.name, **columns_of(definition))
        offered = tool.pending
        take(tool, definition)
        tool.position = position
        tool.save()
        if tool.pending is not None and tool.pending != offered:
            blocked.append(tool)
    ServiceTool.objects.filter(id__in=[tool.id for tool in known.values()]).delete()
    note_blocked(service, blocked)


def block_tool(*, service_id: UUID, definition: ToolDefinition) -> bool | None:
    """A run met another definition than the approved one: block the tool until somebody approves that.

    A tool of the demo service is accepted instead; the answer then says whether it counts as read-only now. None: it is blocked.
    """
    rows = ServiceTool.objects.select_for_update(of=("self",)).select_related("service")
    tool = rows.filter(service=service_id, name=definition.name).first()
    if tool is None:
        return None
    if tool.service.is_demo:
        accept_demo_tool(tool, definition)
        tool.save()
        return tool.counts_as_read_only
    if tool.state == ServiceTool.State.APPROVED:
        meet(tool, definition)
        tool.save(update_fields=["pending", "state"])
        if tool.pending is not None:
            note_blocked(tool.service, [tool])
    return None


def note_tools(*, service_id: UUID, definitions: Sequence[ToolDefinition]) -> None:
    """A run met tools that are not pinned: they wait for approval, as those that a test finds. What is pinned already stays as it is."""
    service = Service.objects.select_for_update().filter(id=service_id).first()  # as a listing that is being stored holds it
    if service is None:
        return  # deleted under the run
    end = service.tools.aggregate(last=Max("position"))["last"] or 0
    found = []
    for position, definition in enumerate(definitions, end + 1):
        tool = ServiceTool(service=service, state=ServiceTool.State.NEW, name=definition.name, position=position, **columns_of(definition))
        if service.is_demo:
            accept_demo_tool(tool, definition)
        found.append(tool)
    ServiceTool.objects.bulk_create(found, ignore_conflicts=True)
