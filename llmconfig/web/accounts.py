"""How allauth behaves here: who may sign up, whose membership a new account gets, when one proves anew who one is, what a pause says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal import ratelimit
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.conf import settings
from django.db import transaction
from django.shortcuts import redirect, render
from django.utils import timezone

from llmconfig.services.joining import accept_invitation
from llmconfig.services.sign_in_guard import remember_browser, whose_account
from llmconfig.tenancy.caller import ip_of
from llmconfig.tenancy.errors import ServiceError
from llmconfig.web.invitations import invitation_of, keep_problem

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from llmconfig.models import User

_FAILURES_OF_AN_ADDRESS: Final = {"login_failed": "20/m/ip"}
"""Whatever names it tries. What one account may fail is the guard's to say (services/sign_in_guard.py)."""
_NO_ADDRESS: Final = "::"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # no stubs
    """Whoever signs up owns an organization of this installation, so the operator decides whether anyone may (ROUTEKIT_SIGNUP).

    Whoever holds an invitation may, and joins the organization that invites.
    """

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGNUP) or invitation_of(request) is not None

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        invitation = invitation_of(request)
        super().save_user(request, user, form, commit=False)
        if not commit:
            return user
        if invitation is None:
            user.save()
            return user
        user.joins = invitation.organization  # type: ignore[misc]  # the instance's own answer to the class's default
        user.email = invitation.email or user.email
        try:
            with transaction.atomic():
                user.save()
                accept_invitation(user=user, invitation=invitation, ip=ip_of(request))
        except ServiceError as refused:
            keep_problem(request, refused.detail)
            raise ImmediateHttpResponse(redirect("join")) from None
        return user

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """allauth's own limit by account would let a stranger lock it; the guard's does not."""
        self._login_failed_rl_usage = ratelimit.consume(
            request, app="allauth.account", action="login_failed", config=_FAILURES_OF_AN_ADDRESS
        )
        if not self._login_failed_rl_usage:
            raise self.validation_error("too_many_login_attempts")

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Not of who has just signed in, as after a redirect to set up MFA."""
        request = self.request
        records = get_authentication_records(request, request.user)
        if records and time.time() - records[-1]["at"] < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT:
            return False
        return bool(super().is_reauthentication_required(app=app, **kwargs))

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        remember_browser(response, user)
        return response

    def get_login_stages(self) -> list[str]:
        """Without the page of its own that would ask whether to trust the browser."""
        return [stage for stage in super().get_login_stages() if not stage.endswith(".TrustStage")]

    def get_client_ip(self, request: HttpRequest) -> str:
        """As uvicorn found it. X-Forwarded-For is read there, and from trusted proxies alone."""
        return ip_of(request) or _NO_ADDRESS


def locked_out(request: HttpRequest, response: HttpResponse | None = None, credentials: dict[str, Any] | None = None) -> HttpResponse:
    """What axes answers instead of the form while an account is paused: 429, and when to try again."""
    pause = get_cool_off(request)
    newest = AccessAttempt.objects.filter(username=whose_account(request, credentials)).order_by("-attempt_time").first()
    until = (newest.attempt_time if newest else timezone.now()) + pause
    seconds = max(1, int((until - timezone.now()).total_seconds()))
    page = render(request, "account/locked.html", {"minutes": -(-seconds // 60)}, status=429)
    page["Retry-After"] = str(seconds)
    return page
