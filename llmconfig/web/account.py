"""A person's own account: one page that leads to everything about it, and the sessions, which can be ended one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from llmconfig.models import User

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """POST changes the person's name."""
    user = _user(request)
    if request.method == "POST":
        user.first_name = request.POST.get("first_name", "").replace("\x00", "").strip()[:150]
        user.last_name = request.POST.get("last_name", "").replace("\x00", "").strip()[:150]
        user.save(update_fields=["first_name", "last_name"])
        return redirect("account")
    kinds = list(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    about: dict[str, Any] = {
        "section": "account",
        "has_password": user.has_usable_password(),
        "has_totp": Authenticator.Type.TOTP in kinds,
        "passkeys": kinds.count(Authenticator.Type.WEBAUTHN),
        "has_codes": Authenticator.Type.RECOVERY_CODES in kinds,
        "sessions": UserSession.objects.filter(user=user).count(),
        "connections": SocialAccount.objects.filter(user=user).count(),
        "providers": [each for each in (settings.OIDC, settings.SAML) if each],
    }
    return render(request, "account/overview.html", about)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def sessions(request: HttpRequest) -> HttpResponse:
    """POST ends all but this one."""
    user = _user(request)
    rows = sorted(UserSession.objects.purge_and_list(user), key=lambda row: row.last_seen_at, reverse=True)
    if request.method == "POST":
        _end(request, [row for row in rows if not row.is_current()])
        return redirect("usersessions_list")
    return render(request, "usersessions/usersession_list.html", {"section": "account", "sessions": rows})


@require_POST
@login_required
def end_session(request: HttpRequest, id: int) -> HttpResponse:
    row = get_object_or_404(UserSession, pk=id, user=_user(request))
    _end(request, [row])
    return redirect("usersessions_list")


def _end(request: HttpRequest, rows: list[UserSession]) -> None:
    from allauth.usersessions.internal import flows  # noqa: PLC0415  # imports what signing out needs

    if rows:
        flows.sessions.end_sessions(request, rows)


def _user(request: HttpRequest) -> User:
    user: Any = request.user
    assert isinstance(user, User)  # noqa: S101  # login_required
    return user
