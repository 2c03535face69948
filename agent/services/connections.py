"""Services as people connect them: make, change, test, and say what their tools may do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from urllib.parse import urlsplit

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction
from django.utils import timezone

from agent.mcp.errors import ServiceError, ServiceTimeout, ServiceUnauthorized, ServiceUnreachable
from agent.models import Service, ServiceTool, ToolGrant
from agent.services.endpoints import egress, endpoint_of
from llmconfig.net import UrlForbidden, check_url
from llmconfig.tenancy.caller import Action, Caller, allows
from llmconfig.tenancy.errors import Conflict, Forbidden, Invalid
from llmconfig.tenancy.keys import open_for, seal_for
from llmconfig.tenancy.sealed import Sealed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from agent.mcp.definitions import ToolDefinition
    from llmconfig.llm import Secret
    from llmconfig.tenancy.models import Organization


class ServiceFields(TypedDict, total=False):
    display_name: str
    transport: str
    url: str
    auth_type: str
    token: Secret
    shared: bool
    is_enabled: bool


def create_service(*, caller: Caller, **fields: Unpack[ServiceFields]) -> Service:
    """A new service, not yet asked for its tools: call `refresh_tools` next. Raises Invalid, Forbidden."""
    shared = fields.get("shared", False)
    _require(caller, shared=shared)
    _check_url(fields["url"])
    service = Service(
        organization=caller.organization,
        owner=None if shared else caller.user,
        slug=free_slug(caller.organization, fields["display_name"]),
        **{name: value for name, value in fields.items() if name not in ("shared", "token")},
    )
    _set_token(service, fields.get("token"))
    service.save()
    return service


def update_service(*, caller: Caller, service: Service, **fields: Unpack[ServiceFields]) -> Service:
    """Change what is named. Another host without a new token clears the token: it must never be sent to a new host."""
    _require(caller, shared=service.shared)
    if service.is_demo and set(fields) - {"is_enabled"}:
        raise Conflict("The demo service is built in: it can be enabled or disabled.", code="built_in")
    token = fields.get("token")
    with transaction.atomic():
        if "url" in fields and fields["url"] != service.url:
            _check_url(fields["url"])
            if _host(fields["url"]) != _host(service.url) and not token:
                service.token = Sealed("")
            service.status, service.secret_version = Service.Status.UNTESTED, service.secret_version + 1
        if "shared" in fields and fields["shared"] != service.shared:
            _require(caller, shared=True)
            _move(service, None if fields["shared"] else caller.user.pk)
        for name in ("display_name", "transport", "url", "auth_type", "is_enabled"):
            if name in fields:
                setattr(service, name, fields[name])
        _set_token(service, token)
        service.save()
    return service


def delete_service(*, caller: Caller, service: Service) -> None:
    _require(caller, shared=service.shared)
    if service.is_demo:
        raise Conflict("The demo service is built in. Disable it instead.", code="built_in")
    service.delete()


def refresh_tools(*, service: Service) -> dict[str, Any]:
    """Connect, list the tools and pin them. {"ok", "latency_ms", "tools", "error": {"kind", "detail"} | None}."""
    began = timezone.now()
    error: ServiceError | None = None
    definitions: Sequence[ToolDefinition] = ()
    if service.auth_type == Service.Auth.BEARER and not service.token:
        error = ServiceUnauthorized(f"{service.display_name} needs a token and has none.")
    else:
        try:
            definitions = async_to_sync(_list_tools)(service)
        except ServiceError as raised:
            error = raised
    latency = int((timezone.now() - began).total_seconds() * 1000)
    status, detail = _status_of(error)
    with transaction.atomic():
        Service.objects.filter(id=service.id).update(status=status, status_detail=detail[:500], last_tested_at=began)
        if error is None:
            pin_tools(service=service, definitions=definitions)
    service.refresh_from_db()
    return {
        "ok": error is None,
        "latency_ms": latency,
        "tools": [definition.name for definition in definitions],
        "error": None if error is None else {"kind": error.kind, "detail": error.message},
    }


async def _list_tools(service: Service) -> Sequence[ToolDefinition]:
    from agent.mcp.pool import probe  # noqa: PLC0415  # the MCP SDK is slow to import

    return await probe(await _endpoint(service), egress())


async def _endpoint(service: Service) -> Any:

    return await sync_to_async(endpoint_of)(service)


def _status_of(error: ServiceError | None) -> tuple[Service.Status, str]:
    match error:
        case None:
            return Service.Status.CONNECTED, ""
        case ServiceUnauthorized():
            return Service.Status.UNAUTHORIZED, error.message
        case ServiceUnreachable() | ServiceTimeout():
            return Service.Status.UNREACHABLE, error.message
        case _:
            return Service.Status.ERROR, error.message


def pin_tools(*, service: Service, definitions: Sequence[ToolDefinition]) -> None:
    """Bring the pinned tools up to date. Those seen while connecting are approved by that; later ones are new, changed ones blocked."""
    known = {tool.name: tool for tool in service.tools.all()}
    first = not known
    for position, definition in enumerate(definitions):
        tool = known.pop(definition.name, None)
        if tool is None:
            state = ServiceTool.State.APPROVED if first else ServiceTool.State.NEW
            ServiceTool.objects.create(service=service, state=state, name=definition.name, position=position, **_columns(definition))
            continue
        tool.position = position
        if tool.definition_hash == definition.definition_hash:
            tool.pending = None
            tool.state = ServiceTool.State.APPROVED if tool.state == ServiceTool.State.CHANGED else tool.state
        else:
            tool.pending, tool.state = _columns(definition), ServiceTool.State.CHANGED
        tool.save()
    ServiceTool.objects.filter(id__in=[tool.id for tool in known.values()]).delete()


def _columns(definition: ToolDefinition) -> dict[str, Any]:
    return {
        "description": definition.description,
        "input_schema": dict(definition.input_schema),
        "annotations": dict(definition.annotations),
        "definition_hash": definition.definition_hash,
    }


def set_tool_policy(
    *, caller: Caller, service: Service, tool: ServiceTool, policy: str | None = None, read_only: bool | None = None
) -> ServiceTool:
    """Choose what a tool may do. `auto` classifies it as read-only; a tool whose service says that it writes can only ask or be denied."""
    _require(caller, shared=service.shared)
    wants_auto = policy == ServiceTool.Policy.AUTO or read_only is True
    if wants_auto and tool.is_declared_writing:
        raise Invalid(
            f"{service.display_name} says that {tool.name} changes data, so it can ask or be denied, but not run by itself.",
            code="not_read_only",
            attr="policy" if policy else "read_only",
        )
    if policy is not None:
        tool.policy = policy
        tool.read_only = tool.read_only or policy == ServiceTool.Policy.AUTO
    if read_only is not None:
        tool.read_only = read_only
    tool.save(update_fields=["policy", "read_only"])
    return tool


def approve_definition(*, caller: Caller, service: Service, tool: ServiceTool) -> ServiceTool:
    """Accept a new tool, or a changed definition in place of the pinned one. Raises Conflict when there is nothing to accept."""
    _require(caller, shared=service.shared)
    if tool.state == ServiceTool.State.APPROVED:
        raise Conflict("This definition is approved already.", code="already_approved")
    if tool.pending is not None:
        for name, value in tool.pending.items():
            setattr(tool, name, value)
        tool.pending = None
    tool.state = ServiceTool.State.APPROVED
    tool.save()
    return tool


def revoke_grant(*, caller: Caller, service: Service, grant_id: UUID) -> None:
    ToolGrant.objects.get(id=grant_id, service=service, user=caller.user).delete()


def diff_of(tool: ServiceTool) -> list[dict[str, Any]] | None:
    """What a changed definition changes: [{"field", "before", "after"}], or None."""
    pending: Mapping[str, Any] | None = tool.pending
    if pending is None:
        return None
    fields = ("description", "input_schema", "annotations")
    return [
        {"field": name, "before": getattr(tool, name), "after": pending[name]} for name in fields if getattr(tool, name) != pending[name]
    ]


def _require(caller: Caller, *, shared: bool) -> None:
    if not allows(caller, Action.SHARE if shared else Action.MANAGE_OWN):
        what = "Only an admin or owner changes what the organization shares." if shared else "Your role here may not have services."
        raise Forbidden(what)


def _check_url(url: str) -> None:
    try:
        check_url(url, egress())
    except UrlForbidden as error:
        raise Invalid(str(error), code="url_forbidden", attr="url") from None


def _host(url: str) -> str:

    return urlsplit(url).netloc.rpartition("@")[2]


def _set_token(service: Service, token: Secret | None) -> None:
    if token:
        service.token = Sealed(seal_for(service, "token", token))
        service.secret_version += 1


def _move(service: Service, owner_id: UUID | None) -> None:
    """Another owner is another sealing context: open, move, seal."""

    token = open_for(service, "token") if service.token else None
    service.owner_id = owner_id
    if token is not None:
        service.token = Sealed(seal_for(service, "token", token))


def free_slug(organization: Organization, name: str) -> str:
    """A slug of letters, digits and single dashes, unique in the organization."""
    base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:24] or "service"
    taken = set(Service.objects.filter(organization=organization, slug__startswith=base).values_list("slug", flat=True))
    return next(slug for number in range(1, len(taken) + 2) if (slug := base if number == 1 else f"{base}-{number}") not in taken)
