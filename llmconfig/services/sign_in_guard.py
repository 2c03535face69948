"""Who may try to sign in once more: django-axes' counters in the database, by account and address, and by account from everywhere.

Five failures from one address pause that account for that address. Fifty from everywhere pause it for every browser that never signed
in to it: a stranger can thus not lock a person out of the browser that they use. Nothing here needs Valkey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.core import signing
from django.db.models import Sum
from django.utils.crypto import constant_time_compare, salted_hmac

from llmconfig.services.signin_events import find_user

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest, HttpResponse

    from llmconfig.models import User

FAILURES_FROM_EVERYWHERE: Final = 50
KNOWN_COOKIE: Final = "routekit_known"
_KNOWN_FOR_S: Final = 180 * 86_400
_SALT: Final = "llmconfig.known-browser"


def whose_account(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """The account by its name, or for one that nobody has a keyed hash of what was typed, which may be a password."""
    given = credentials or {}
    user = find_user(given)
    if user is not None:
        return str(user.get_username())
    typed = str(given.get("username") or given.get("email") or "")
    return "unknown-" + salted_hmac(_SALT, typed.lower(), algorithm="sha256").hexdigest()[:32]


def remember_browser(response: HttpResponse, user: User) -> None:
    """This browser has signed in to the account: what happens elsewhere does not pause it here."""
    value = signing.dumps(str(user.pk), salt=_SALT)
    response.set_cookie(
        KNOWN_COOKIE, value, max_age=_KNOWN_FOR_S, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax", path="/accounts/"
    )


class SignInGuard(AxesDatabaseHandler):  # type: ignore[misc]  # no stubs
    """What axes counts is the pair of account and address; this adds the account from everywhere."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        here: int = super().get_failures(request, credentials)
        limit: int = settings.AXES_FAILURE_LIMIT
        if (
            here < limit
            and not _knows_the_account(request, credentials)
            and _from_everywhere(request, credentials) >= FAILURES_FROM_EVERYWHERE
        ):
            return limit
        return here


def _from_everywhere(request: HttpRequest, credentials: Mapping[str, Any] | None) -> int:
    recent = AccessAttempt.objects.filter(username=whose_account(request, credentials), attempt_time__gte=get_cool_off_threshold(request))
    total: int | None = recent.aggregate(total=Sum("failures_since_start"))["total"]
    return total or 0


def _knows_the_account(request: HttpRequest, credentials: Mapping[str, Any] | None) -> bool:
    user = find_user(credentials)
    try:
        known = signing.loads(request.COOKIES.get(KNOWN_COOKIE, ""), salt=_SALT, max_age=_KNOWN_FOR_S)
    except signing.BadSignature:
        return False
    return user is not None and constant_time_compare(str(known), str(user.pk))
