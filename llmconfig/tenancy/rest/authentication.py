"""Bearer tokens and sessions. An anonymous request is answered 401 with WWW-Authenticate, since bearer comes first."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any, Final

from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework import authentication, exceptions

from llmconfig.tenancy.caller import second_factor
from llmconfig.tenancy.models import ApiToken, Membership, User
from llmconfig.tenancy.rest.throttling import count_failed_token

_NOTE_USE_EVERY: Final = timedelta(minutes=1)
_MEMBERSHIP: Final = Membership.objects.filter(user=OuterRef("user"), organization=OuterRef("organization"))
_TOKENS: Final[Any] = ApiToken.objects.select_related("user", "organization").annotate(
    role=Subquery(_MEMBERSHIP.values("role")[:1]), has_mfa=second_factor()
)


class BearerAuthentication(TokenAuthentication):  # type: ignore[misc]  # knox has no stubs
    """Knox reads the header; the token is found by its whole SHA-512, in one query with its person, organization, role and MFA."""

    def authenticate(self, request: Any) -> tuple[User, ApiToken] | None:
        self.request = request
        found: tuple[User, ApiToken] | None = super().authenticate(request)
        return found

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        now = timezone.now()
        try:
            digest = hash_token(token.decode("ascii"))
            found = _TOKENS.get(Q(expiry=None) | Q(expiry__gt=now), digest=digest)
        except (UnicodeDecodeError, ApiToken.DoesNotExist):
            count_failed_token(self.request)
            raise exceptions.AuthenticationFailed("This token is not valid, has expired or was revoked.") from None
        if not found.user.is_active:
            raise exceptions.AuthenticationFailed("This user is inactive.")
        most = found.organization.token_max_days
        if most is not None and found.created < now - timedelta(days=most):
            raise exceptions.AuthenticationFailed(f"This organization lets no token live for more than {most} days. Make a new one.")
        if found.last_used_at is None or now - found.last_used_at > _NOTE_USE_EVERY:
            ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
        found.sha256 = hashlib.sha256(token).hexdigest()
        return found.user, found

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


class SessionAuthentication(authentication.SessionAuthentication):
    """A signed-in browser; unsafe methods need the CSRF token."""
