"""API tokens: each bound to one person and one organization, with no more scopes than whoever made it had."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from llmconfig.models import ApiToken
from llmconfig.services.members import manageable
from llmconfig.tenancy.accounts import create_api_token
from llmconfig.tenancy.audit import Actor, record
from llmconfig.tenancy.caller import Action, Caller, allows, includes
from llmconfig.tenancy.errors import Forbidden, Invalid
from llmconfig.tenancy.models import Membership, Role

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet


def tokens_for(caller: Caller, *, everybody: bool = False) -> QuerySet[ApiToken]:
    """The caller's own; everybody: all of the organization, for its admins. Newest first. Raises `Forbidden`."""
    tokens: QuerySet[ApiToken] = ApiToken.objects.filter(organization=caller.organization).select_related("user")
    if everybody:
        caller.require(Action.MANAGE_ORGANIZATION)
    else:
        tokens = tokens.filter(user=caller.user)
    return tokens.order_by("-created", "-id")


def create_token(
    *, caller: Caller, name: str, scopes: Sequence[str] | None = None, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """The row and the value. Raises `Forbidden` for a scope the caller's own token lacks, `Invalid` for an end that cannot be.

    Without an end, the token lives as long as the organization lets one live.
    """
    caller.require(Action.MANAGE_OWN)
    return issue_token(caller=caller, name=name, scopes=scopes, expires_at=expires_at)


@transaction.atomic
def issue_token(
    *,
    caller: Caller,
    name: str,
    scopes: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    actor: Actor | None = None,
) -> tuple[ApiToken, str]:
    """Like `create_token`, for the operator's command: viewers and auditors get theirs from it, which reads only what their role does."""
    wanted = frozenset(scopes) if scopes is not None else caller.scopes
    if not all(includes(caller.scopes, scope) for scope in wanted):
        raise Forbidden("A token cannot have scopes that its maker lacks.")
    ends = _end(caller, expires_at)
    token, value = create_api_token(user=caller.user, organization=caller.organization, name=name, scopes=sorted(wanted), expires_at=ends)
    details = {"user": caller.user.get_username(), "scopes": token.scopes, "expires_at": ends}
    record("token.created", actor=actor or Actor.of(caller), organization=caller.organization.pk, object=_named(token), details=details)
    return token, value


@transaction.atomic
def revoke_token(*, caller: Caller, id: UUID) -> None:
    """Takes effect with the next request. One's own, or that of somebody whom one manages. Raises `ApiToken.DoesNotExist`, `Forbidden`."""
    manages = allows(caller, Action.MANAGE_ORGANIZATION)
    if not manages:
        caller.require(Action.MANAGE_OWN)
    token = tokens_for(caller, everybody=manages).get(pk=id)
    if token.user_id != caller.user.pk:
        role = Membership.objects.filter(organization=caller.organization, user=token.user_id).values_list("role", flat=True).first()
        if role and Role(role) not in manageable(caller.role):
            raise Forbidden("Only an owner revokes the tokens of admins and owners.")
    revoke_as(token, Actor.of(caller))


@transaction.atomic
def revoke_as(token: ApiToken, actor: Actor) -> None:
    named, details = _named(token), {"user": token.user.get_username(), "scopes": token.scopes}
    organization = token.organization_id
    token.delete()
    record("token.revoked", actor=actor, organization=organization, object=named, details=details)


def _end(caller: Caller, expires_at: datetime | None) -> datetime | None:
    now, most = timezone.now(), caller.organization.token_max_days
    latest = now + timedelta(days=most) if most else None
    if expires_at is None:
        return latest
    if expires_at <= now:
        raise Invalid("This time has passed.", attr="expires_at")
    if latest and expires_at > latest + timedelta(minutes=5):  # clocks differ, and a form names whole days
        raise Invalid(f"A token of this organization lives {most} days at most.", code="too_long", attr="expires_at")
    return min(expires_at, latest) if latest else expires_at


def _named(token: ApiToken) -> tuple[str, str, str]:
    return "token", str(token.pk), token.name
