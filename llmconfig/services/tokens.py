"""A person's API tokens: each bound to one organization, with no more scopes than whoever made it had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from llmconfig.models import ApiToken
from llmconfig.tenancy.accounts import create_api_token
from llmconfig.tenancy.caller import Action, Caller, includes
from llmconfig.tenancy.errors import Forbidden, Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet


def tokens_for(caller: Caller) -> QuerySet[ApiToken]:
    tokens: QuerySet[ApiToken] = ApiToken.objects.filter(user=caller.user, organization=caller.organization)
    return tokens.order_by("-created", "-id")


def create_token(
    *, caller: Caller, name: str, scopes: Sequence[str] | None = None, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """The row and the value. Raises `Forbidden` for a scope the caller's own token lacks, `Invalid` for an end in the past."""
    caller.require(Action.MANAGE_OWN)
    return issue_token(caller=caller, name=name, scopes=scopes, expires_at=expires_at)


def issue_token(
    *, caller: Caller, name: str, scopes: Sequence[str] | None = None, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Like `create_token`, for the operator's command: viewers and auditors get theirs from it, which reads only what their role does."""
    wanted = frozenset(scopes) if scopes is not None else caller.scopes
    if not all(includes(caller.scopes, scope) for scope in wanted):
        raise Forbidden("A token cannot have scopes that its maker lacks.")
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("This time has passed.", attr="expires_at")
    return create_api_token(user=caller.user, organization=caller.organization, name=name, scopes=sorted(wanted), expires_at=expires_at)


def revoke_token(*, caller: Caller, id: UUID) -> None:
    """Takes effect with the next request. Raises `ApiToken.DoesNotExist`."""
    caller.require(Action.MANAGE_OWN)
    tokens_for(caller).get(pk=id).delete()
