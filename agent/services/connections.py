"""Services as people connect them: make, change, delete, and say what their tools may do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from django.db import IntegrityError, transaction

from agent.models import Service, ServiceTool, ToolGrant
from agent.services.endpoints import egress
from agent.services.listing import record_listing
from agent.services.pinned import redefine
from agent.services.recorded import note_change, note_grant, note_service, note_tool, told_of
from llmconfig.net import UrlForbidden, check_url, origin
from llmconfig.services import check_misplaced
from llmconfig.tenancy.audit import Actor
from llmconfig.tenancy.caller import Caller, require_change
from llmconfig.tenancy.errors import Conflict, Invalid
from llmconfig.tenancy.keys import open_for, renew, seal_for
from llmconfig.tenancy.sealed import Sealed
from llmconfig.vault import Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from agent.services.listing import Listing
    from llmconfig.llm import Secret
    from llmconfig.tenancy.models import Organization


_WHAT_A_TEST_SAW = ("url", "transport", "auth_type")


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
    return save_new(draft_service(caller=caller, **fields), caller=caller)


def draft_service(*, caller: Caller, **fields: Unpack[ServiceFields]) -> Service:
    """A checked but unsaved service, which can be asked for its tools before any transaction begins. Raises Invalid, Forbidden."""
    shared = fields.get("shared", False)
    _require(caller, shared=shared)
    _check_url(fields["url"])
    _check_misplaced(fields)
    service = Service(
        organization=caller.organization,
        owner=None if shared else caller.user,
        **{name: value for name, value in fields.items() if name not in ("shared", "token")},
    )
    _set_token(service, fields.get("token"))
    return service


def save_new(service: Service, *, caller: Caller, listing: Listing | None = None) -> Service:
    """Save a draft under a slug that is free. Two that want the same at once get different ones. listing: what it said of its tools."""
    while True:
        service.slug = free_slug(service.organization, service.display_name)
        try:
            with transaction.atomic():
                renew(service, "token")  # its server was asked since it was sealed
                service.save(force_insert=True)
                if listing is not None:
                    record_listing(service=service, listing=listing)
                note_service("service.created", Actor.of(caller), service, told_of(service))
        except IntegrityError:
            if not Service.objects.filter(organization=service.organization_id, slug=service.slug).exists():
                raise
        else:
            return service


def update_service(*, caller: Caller, service: Service, **fields: Unpack[ServiceFields]) -> Service:
    """Change what is named. Another host without a new token clears the token: it must never be sent to a new host."""
    token = fields.get("token")
    with transaction.atomic():
        service.refresh_from_db(from_queryset=Service.objects.select_for_update(of=("self",)))
        _require(caller, shared=service.shared)
        if service.is_demo and set(fields) - {"is_enabled"}:
            raise Conflict("The demo service is built in: it can be enabled or disabled.", code="built_in")
        before = [getattr(service, name) for name in _WHAT_A_TEST_SAW]
        _check_misplaced(fields)
        known, had_token = told_of(service), bool(service.token)
        if "url" in fields and fields["url"] != service.url:
            _check_url(fields["url"])
            if origin(fields["url"]) != origin(service.url) and not token:
                service.token = Sealed("")
        if "shared" in fields and fields["shared"] != service.shared:
            _require(caller, shared=True)
            _move(service, None if fields["shared"] else caller.user.pk)
        for name in ("display_name", "transport", "url", "auth_type", "is_enabled"):
            if name in fields:
                setattr(service, name, fields[name])
        _set_token(service, token)
        if token or before != [getattr(service, name) for name in _WHAT_A_TEST_SAW]:
            service.status, service.status_detail = Service.Status.UNTESTED, ""
            service.secret_version += 1
        service.save()
        change = "replaced" if token else "cleared" if had_token and not service.token else ""
        note_change(Actor.of(caller), service, known, token=change)
    return service


def delete_service(*, caller: Caller, service: Service) -> None:
    _require(caller, shared=service.shared)
    if service.is_demo:
        raise Conflict("The demo service is built in. Disable it instead.", code="built_in")
    with transaction.atomic():
        Service.objects.filter(id=service.id).delete()
        note_service("service.deleted", Actor.of(caller), service, told_of(service))


def set_tool_policy(
    *, caller: Caller, service: Service, tool: ServiceTool, policy: str | None = None, read_only: bool | None = None
) -> ServiceTool:
    """Choose what a tool may do. `auto` classifies it as read-only; a tool whose service says that it writes can only ask or be denied."""
    _require(caller, shared=service.shared)
    wants_auto = policy == ServiceTool.Policy.AUTO or read_only is True
    with transaction.atomic():
        tool.refresh_from_db(from_queryset=ServiceTool.objects.select_for_update())
        if wants_auto and tool.is_declared_writing:
            raise Invalid(
                f"{service.display_name} says that {tool.name} changes data, so it can ask or be denied, but not run by itself.",
                code="not_read_only",
                attr="policy" if policy else "read_only",
            )
        before = {"policy": tool.policy, "read_only": tool.read_only}
        if policy is not None:
            tool.policy = policy
            tool.read_only = tool.read_only or policy == ServiceTool.Policy.AUTO
        if read_only is not None:
            tool.read_only = read_only
        tool.save(update_fields=["policy", "read_only"])
        for name, action in (("policy", "tool.policy_changed"), ("read_only", "tool.classified")):
            if before[name] != getattr(tool, name):
                note_tool(action, Actor.of(caller), service, tool, {name: [before[name], getattr(tool, name)]})
    return tool


def approve_definition(*, caller: Caller, service: Service, tool: ServiceTool, definition_hash: str | None = None) -> ServiceTool:
    """Accept a new tool, or a changed definition in place of the pinned one: an `auto` tool asks from then on.

    definition_hash: of the definition that was read. Raises Conflict when by now it is another, or there is nothing to accept.
    """
    _require(caller, shared=service.shared)
    with transaction.atomic():
        tool = ServiceTool.objects.select_for_update().get(id=tool.id)
        if definition_hash is not None and definition_hash != (pending_hash(tool) or tool.definition_hash):
            raise Conflict(f"{tool.name} is defined otherwise by now than what you read. Read it again.", code="definition_changed")
        if tool.state == ServiceTool.State.APPROVED:
            raise Conflict("This definition is approved already.", code="already_approved")
        before = tool.definition_hash
        if tool.pending is not None:
            redefine(tool, tool.pending)
            tool.pending = None
        tool.state = ServiceTool.State.APPROVED
        tool.save()
        note_tool("tool.approved", Actor.of(caller), service, tool, {"definition": tool.definition_hash, "before": before})
    return tool


def pending_hash(tool: ServiceTool) -> str | None:
    """Of the definition that waits to be approved in place of the pinned one."""
    pending: Mapping[str, str] | None = tool.pending
    return None if pending is None else pending["definition_hash"]


def revoke_grant(*, caller: Caller, service: Service, grant_id: UUID) -> None:
    with transaction.atomic():
        grant = ToolGrant.objects.select_related("service").get(id=grant_id, service=service, user=caller.user)
        ToolGrant.objects.filter(id=grant_id).delete()
        note_grant("grant.revoked", Actor.of(caller), grant)


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
    require_change(caller, shared=shared, things="services")


def _check_url(url: str) -> None:
    try:
        check_url(url, egress())
    except UrlForbidden as error:
        raise Invalid(str(error), code="url_forbidden", attr="url") from None


def _check_misplaced(fields: ServiceFields) -> None:
    token = fields.get("token")
    check_misplaced({name: value for name, value in fields.items() if name in ("display_name", "url")}, [token] if token else [])


def _set_token(service: Service, token: Secret | None) -> None:
    if not token:
        return
    text = token.reveal()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise Invalid("A token is one line of ASCII characters, without spaces and without the word Bearer.", attr="token")
    try:
        service.token = Sealed(seal_for(service, "token", token))
    except Unreadable:
        raise Conflict("No token can be sealed: the KEK is another than before. Restore it.", code="unreadable") from None


def _move(service: Service, owner_id: UUID | None) -> None:
    """Another owner is another sealing context: open, move, seal. Raises Conflict."""
    try:
        token = open_for(service, "token") if service.token else None
    except Unreadable:
        raise Conflict(
            "This service's token cannot be opened. Enter it again before you change who may use it.", code="unreadable"
        ) from None
    service.owner_id = owner_id
    if token is not None:
        service.token = Sealed(seal_for(service, "token", token))


def free_slug(organization: Organization, name: str) -> str:
    """A slug of letters, digits and single dashes, unique in the organization."""
    base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:24] or "service"
    taken = set(Service.objects.filter(organization=organization, slug__startswith=base).values_list("slug", flat=True))
    return next(slug for number in range(1, len(taken) + 2) if (slug := base if number == 1 else f"{base}-{number}") not in taken)
