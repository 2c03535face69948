"""Who asks, for which organization, and what that allows: the table of roles in one place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.db.models import Exists, OuterRef

from llmconfig.tenancy.errors import Forbidden
from llmconfig.tenancy.models import ApiToken, Membership, Organization, Role, Scope, User, all_scopes

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest
    from rest_framework.request import Request

    from llmconfig.tenancy.base import OwnedModel

SESSION_ORGANIZATION: Final = "organization"
SECOND_FACTORS: Final = ("totp", "webauthn")
"""Recovery codes are none: they stand in for one."""


@dataclass(frozen=True)
class Caller:
    """scopes: those of the token; a session has all of them. ip: "" outside a request.

    lacks_mfa: the organization requires MFA and this user has not set it up; such a caller may do nothing there.
    """

    user: User
    organization: Organization
    role: Role
    scopes: frozenset[str]
    token_id: UUID | None = None
    token_name: str = ""
    ip: str = ""
    lacks_mfa: bool = False

    @property
    def principal(self) -> str:
        """Whose idempotency keys these are: the token's, or the user's in this organization."""
        return f"token:{self.token_id}" if self.token_id else f"user:{self.user.pk}:{self.organization.pk.hex[:8]}"

    @property
    def has_own(self) -> bool:
        """Whether things of their own are still theirs to see: whoever became a viewer or an auditor keeps only what is shared."""
        return allows(self, Action.READ_OWN)

    def require(self, action: Action) -> None:
        if not allows(self, action):
            raise Forbidden(f"Your role here ({self.role.label.lower()}) or your token's scopes do not allow this.")


_MEMBERS: Final = frozenset({Role.MEMBER, Role.ADMIN, Role.OWNER})
_ADMINS: Final = frozenset({Role.ADMIN, Role.OWNER})
_WATCHERS: Final = frozenset({Role.AUDITOR, Role.ADMIN, Role.OWNER})


class Action(Enum):
    """(roles that may, the scope that a token needs)"""

    SEE = ("see", frozenset(Role), Scope.READ)
    READ_OWN = ("read own", _MEMBERS, Scope.READ)
    RUN = ("run", _MEMBERS, Scope.RUN)
    MANAGE_OWN = ("manage own", _MEMBERS, Scope.ADMIN)
    SEE_ALL_USAGE = ("see all usage", _WATCHERS, Scope.READ)
    READ_AUDIT = ("read the audit trail", _WATCHERS, Scope.READ)
    SHARE = ("share", _ADMINS, Scope.ADMIN)
    MANAGE_ORGANIZATION = ("change the policy, invite and manage people", _ADMINS, Scope.ADMIN)
    OWN_ORGANIZATION = ("own organization", frozenset({Role.OWNER}), Scope.ADMIN)
    LEAVE = ("leave", frozenset(Role), Scope.ADMIN)

    def __init__(self, label: str, roles: frozenset[Role], scope: Scope) -> None:
        self.label, self.roles, self.scope = label, roles, scope


_INCLUDED_IN: Final = {
    Scope.READ: frozenset({Scope.READ, Scope.RUN, Scope.ADMIN}),
    Scope.RUN: frozenset({Scope.RUN, Scope.ADMIN}),
    Scope.ADMIN: frozenset({Scope.ADMIN}),
}


def includes(scopes: frozenset[str], scope: str) -> bool:
    return not _INCLUDED_IN[Scope(scope)].isdisjoint(scopes)


def allows(caller: Caller, action: Action) -> bool:
    return caller.role in action.roles and includes(caller.scopes, action.scope)


def may_change(caller: Caller, row: OwnedModel) -> bool:
    """Its owner, or for what the organization shares an admin or owner of it."""
    if row.organization_id != caller.organization.pk:
        return False
    return allows(caller, Action.SHARE) if row.shared else row.owner_id == caller.user.pk and allows(caller, Action.MANAGE_OWN)


def require_change(caller: Caller, *, shared: bool, things: str) -> None:
    """May the caller have or change such things of their own, or what the organization shares? things: in words. Raises `Forbidden`."""
    if not allows(caller, Action.SHARE if shared else Action.MANAGE_OWN):
        what = "Only an admin or owner changes what the organization shares." if shared else f"Your role here may not have {things}."
        raise Forbidden(what)


def find_caller(request: HttpRequest | Request) -> Caller | None:
    """The caller of a request, or None for an anonymous one and for a user without a membership. At most one query, once a request."""
    known: Caller | None = vars(request).get("caller")
    if known is None:
        known = _find(request)
        vars(request)["caller"] = known
    return known


def caller_of(request: HttpRequest | Request) -> Caller:
    """Like `find_caller`, for code that runs behind a gate. Raises `Forbidden`."""
    if caller := find_caller(request):
        return caller
    raise Forbidden("You are not a member of an organization. Ask its owner to invite you.")


def memberships_of(request: HttpRequest) -> list[Membership]:
    """Those that the person of a session may choose among, oldest first. No query beyond `find_caller`'s."""
    find_caller(request)
    every: list[Membership] = vars(request).get("memberships", [])
    return every


def caller_for(user: User, organization: Organization | None = None) -> Caller:
    """A caller outside any request: commands and tasks. organization: the user's first by default. Raises `Forbidden`."""
    memberships = user.memberships.select_related("organization")
    membership = (memberships.filter(organization=organization) if organization else memberships).first()
    if membership is None:
        raise Forbidden(f"{user.get_username()} is not a member of {organization or 'any organization'}.")
    return _caller(user, membership.organization, membership.role, all_scopes())


def ip_of(request: Any) -> str:
    """The client's address, "" where it has none (a Unix socket). Behind a proxy uvicorn has put the forwarded one there."""
    text = request.META.get("REMOTE_ADDR") or ""
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def _find(request: Any) -> Caller | None:
    user = request.user
    if not isinstance(user, User):
        return None
    token, ip = getattr(request, "auth", None), ip_of(request)
    if isinstance(token, ApiToken):
        role = role_of(token)
        return _caller(user, token.organization, role, token.scopes, token=token, ip=ip, has_mfa=has_mfa(token)) if role else None
    chosen = getattr(request, "session", {}).get(SESSION_ORGANIZATION)
    every = vars(request)["memberships"] = list(user.memberships.select_related("organization").annotate(has_mfa=second_factor()))
    membership = next((each for each in every if str(each.organization_id) == chosen), every[0] if every else None)
    if membership is None:
        return None
    return _caller(user, membership.organization, membership.role, all_scopes(), ip=ip, has_mfa=getattr(membership, "has_mfa", True))


def role_of(token: ApiToken) -> str | None:
    """The role that a token's person has in its organization now; None for no member. Authentication has asked for it on the way."""
    asked: str | None = vars(token).get("role", "")
    if asked != "":
        return asked
    return Membership.objects.filter(user=token.user_id, organization=token.organization_id).values_list("role", flat=True).first()


def second_factor() -> Exists:
    """Whether the `user` of a row has set up MFA. It comes with the row, so that it holds from the next request on and costs no query."""
    authenticators = apps.get_model("mfa", "Authenticator").objects
    return Exists(authenticators.filter(user=OuterRef("user"), type__in=SECOND_FACTORS))


def has_mfa(token: ApiToken) -> bool:
    """Whether a token's person has set up MFA. Authentication has asked for it on the way."""
    asked: bool | None = vars(token).get("has_mfa")
    return ApiToken.objects.filter(second_factor(), pk=token.pk).exists() if asked is None else asked


def _caller(
    user: User,
    organization: Organization,
    role: str,
    scopes: list[str],
    *,
    token: ApiToken | None = None,
    ip: str = "",
    has_mfa: bool = True,
) -> Caller:
    return Caller(
        user=user,
        organization=organization,
        role=Role(role),
        scopes=frozenset(scopes),
        token_id=token.id if token else None,
        token_name=token.name if token else "",
        ip=ip,
        lacks_mfa=organization.requires_mfa and not has_mfa,
    )
