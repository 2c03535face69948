"""Whether a request that is answered for long would still be let in: asked again now and then, without the request."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from llmconfig.tenancy.caller import caller_of
from llmconfig.tenancy.connection import release_connection
from llmconfig.tenancy.models import ApiToken, Membership

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request

    from llmconfig.tenancy.caller import Action


@dataclass(frozen=True, slots=True)
class Standing:
    """What a request was let in for: this action of this organization, by a token or else by a session."""

    action: Action
    user: UUID
    organization: UUID
    token: UUID | None
    session: str

    def holds(self) -> bool:
        """Two queries for a token, three for a session. Keeps no connection: whoever asks waits for long, and is one of many."""
        try:
            return self._is_signed_in() and self._is_allowed()
        finally:
            release_connection()

    def _is_signed_in(self) -> bool:
        if self.token is not None:
            unexpired = Q(expiry=None) | Q(expiry__gt=timezone.now())
            return bool(ApiToken.objects.filter(unexpired, pk=self.token, user__is_active=True).exists())
        asked: Any = HttpRequest()
        asked.session = import_module(settings.SESSION_ENGINE).SessionStore(self.session)
        return bool(get_user(asked).pk == self.user)  # also not after another sign-in, or a new password

    def _is_allowed(self) -> bool:
        return Membership.objects.filter(user=self.user, organization=self.organization, role__in=self.action.roles).exists()


def standing_of(request: Request, action: Action) -> Standing:
    """Of a request that was let in. Raises `Forbidden`."""
    caller = caller_of(request)
    session = "" if caller.token_id else request.session.session_key or ""
    return Standing(action, caller.user.pk, caller.organization.pk, caller.token_id, session)
