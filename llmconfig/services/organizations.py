"""Organizations: founding, choosing, changing and ending one, and what its policy may say."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

from django.apps import apps
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from llmconfig import registry
from llmconfig.services.members import require_still_owner
from llmconfig.tenancy import accounts
from llmconfig.tenancy.audit import Actor, record
from llmconfig.tenancy.caller import SESSION_ORGANIZATION, Action, Caller
from llmconfig.tenancy.departures import organization_ending
from llmconfig.tenancy.errors import Conflict, Invalid
from llmconfig.tenancy.models import Invitation, Membership, Organization, Role, User
from llmconfig.tenancy.shredding import shred_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from uuid import UUID

    from django.db.models import QuerySet

MAX_OWNED: Final = 20
MAX_ENTRIES: Final = 200
MAX_DAYS: Final = 36_500
_HOST: Final = re.compile(
    r"(?:(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
)
_MODEL: Final = re.compile(r"[^/\s]+/\S(?:.*\S)?")
_LISTS: Final = ("allowed_providers", "allowed_models", "allowed_hosts")
_DAYS: Final = ("retention_days", "audit_retention_days", "token_max_days")
POLICY: Final = (*_LISTS, "members_may_bring_keys", "requires_mfa", *_DAYS)


class OrganizationFields(TypedDict, total=False):
    """What an admin sets. A list that is null allows everything; days that are null have no end."""

    name: str
    allowed_providers: list[str] | None
    allowed_models: list[str] | None
    allowed_hosts: list[str] | None
    members_may_bring_keys: bool
    requires_mfa: bool
    retention_days: int | None
    audit_retention_days: int | None
    token_max_days: int | None


def memberships_for(user: User) -> QuerySet[Membership]:
    return Membership.objects.filter(user=user).select_related("organization").order_by("-created_at", "-id")


def organization_counts(caller: Caller) -> dict[str, int]:
    """One query. Invitations: those that can still be accepted."""
    everybody = Membership.objects.filter(organization=caller.organization)
    counts: dict[str, int] = everybody.aggregate(members=Count("id"), owners=Count("id", filter=Q(role=Role.OWNER)))
    open_ones = Invitation.objects.filter(organization=caller.organization, accepted_at=None, expires_at__gt=timezone.now())
    return counts | {"invitations": open_ones.count()}


@transaction.atomic
def found_organization(*, user: User, name: str, actor: Actor | None = None) -> Organization:
    """A new organization of the user's. Raises `Conflict` for one who owns very many."""
    User.objects.select_for_update().get(pk=user.pk)
    if user.memberships.filter(role=Role.OWNER).count() >= MAX_OWNED:
        raise Conflict(f"You own {MAX_OWNED} organizations. Delete one before you found another.", code="too_many")
    organization = accounts.create_organization(name=name, owner=user)
    record("organization.created", actor=actor or Actor.user(user), organization=organization.pk, object=organization)
    return organization


def choose_organization(session: MutableMapping[str, Any], user: User, id: UUID) -> Membership:
    """The session is about this organization from the next request on. Raises `Membership.DoesNotExist`."""
    membership = memberships_for(user).get(organization=id)
    session[SESSION_ORGANIZATION] = str(membership.organization_id)
    return membership


@transaction.atomic
def update_organization(*, caller: Caller, **fields: Unpack[OrganizationFields]) -> Organization:
    """Raises `Forbidden`, and `Invalid` at the field that is not well formed."""
    caller.require(Action.MANAGE_ORGANIZATION)
    if fields.get("requires_mfa") and not caller.organization.requires_mfa and not has_second_factor(caller.user):
        words = "Set up your own second factor first: otherwise this would lock you out."
        raise Invalid(words, code="mfa_missing", attr="requires_mfa")
    return _change(caller.organization.pk, fields, Actor.of(caller))


@transaction.atomic
def update_organization_as_operator(*, id: UUID, actor: Actor, **fields: Unpack[OrganizationFields]) -> Organization:
    return _change(id, fields, actor)


@transaction.atomic
def delete_organization(*, caller: Caller, confirm: str) -> None:
    """Ends it with everything in it, runs included. Raises `Forbidden`, and `Invalid` unless `confirm` is its slug."""
    caller.require(Action.OWN_ORGANIZATION)
    organization = require_still_owner(caller)
    if confirm != organization.slug:
        raise Invalid(f"Write {organization.slug} to confirm.", code="not_confirmed", attr="confirm")
    _end(organization, Actor.of(caller))


@transaction.atomic
def delete_organization_as_operator(*, id: UUID, actor: Actor) -> None:
    _end(Organization.objects.select_for_update().get(pk=id), actor)


def has_second_factor(user: User) -> bool:
    """Whether a person has set one up; nobody has where the app for it is not installed."""
    if not apps.is_installed("allauth.mfa"):
        return False
    enabled: bool = import_module("allauth.mfa.utils").is_mfa_enabled(user)
    return enabled


def checked_policy(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as they are kept: names in lower case, each entry once. Raises `Invalid`."""
    checked = dict(fields)
    checks = {"allowed_providers": _provider_slug, "allowed_models": _model_pattern, "allowed_hosts": _host_pattern}
    for name in _LISTS:
        if fields.get(name) is not None:
            checked[name] = _entries(name, fields[name], checks[name])
    for name in _DAYS:
        days = fields.get(name)
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise Invalid(f"Between 1 and {MAX_DAYS:,} days, or empty for no limit.", code="out_of_range", attr=name)
    return checked


def _change(id: UUID, fields: Mapping[str, Any], actor: Actor) -> Organization:
    checked = checked_policy(fields)
    organization = Organization.objects.select_for_update().get(pk=id)
    before = {name: getattr(organization, name) for name in checked}
    changed = [name for name in checked if checked[name] != before[name]]
    if not changed:
        return organization
    for name in changed:
        setattr(organization, name, checked[name])
    organization.save(update_fields=changed)
    details = {name: {"before": before[name], "after": checked[name]} for name in changed}
    record("policy.changed", actor=actor, organization=organization.pk, object=organization, details=details)
    return organization


def _end(organization: Organization, actor: Actor) -> None:
    """Its keys go first: what they sealed is unreadable from then on, in every copy of the rows, too."""
    id, named = organization.pk, ("organization", str(organization.pk), organization.name)
    members = organization.memberships.count()
    shred_keys(organization)
    organization_ending.send(sender=Organization, organization=organization)
    organization.delete()
    for chain in (None, id):  # as the admin and sign-ins do: in one order, nobody waits for who waits for them
        record("organization.deleted", actor=actor, organization=chain, object=named, details={"members": members})


def _entries(name: str, given: list[str], check: Any) -> list[str]:
    if len(given) > MAX_ENTRIES:
        raise Invalid(f"At most {MAX_ENTRIES} entries.", code="max_length", attr=name)
    return list(dict.fromkeys(check(entry, f"{name}.{position}") for position, entry in enumerate(given)))


def _provider_slug(text: str, attr: str) -> str:
    try:
        return registry.provider_class(text).slug
    except LookupError:
        raise Invalid(f"There is no provider “{text[:40]}”.", code="unknown_provider", attr=attr) from None


def _model_pattern(text: str, attr: str) -> str:
    text = text.strip()
    if len(text) > 250 or not _MODEL.fullmatch(text):
        raise Invalid("Write provider/model, such as anthropic/claude-*, where * stands for any text.", code="bad_pattern", attr=attr)
    slug = text.partition("/")[0]
    if "*" not in slug:
        _provider_slug(slug, attr)
    return text


def _host_pattern(text: str, attr: str) -> str:
    host = text.strip().lower().rstrip(".")
    found = _HOST.fullmatch(host)
    if len(host) > 260 or found is None or (found[1] and not 1 <= int(found[1]) <= 65_535):
        words = "Write a host such as api.example.com, *.example.com or llm.example.com:8443, without https:// and path."
        raise Invalid(words, code="bad_pattern", attr=attr)
    return host
