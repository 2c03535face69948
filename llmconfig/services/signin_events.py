"""Sign-ins in the audit trail: each goes into the chain of every organization that the person belongs to, normally one.

What was typed as a user name is never kept: people type passwords there. A name that nobody has is a line in the log, without the name.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.contrib.auth.signals import user_logged_out, user_login_failed
from django.db import transaction
from django.db.models import Q
from django.db.models.signals import post_delete, post_save

from llmconfig.models import Membership, User
from llmconfig.tenancy.audit import Actor, Outcome, record
from llmconfig.tenancy.caller import ip_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from django.http import HttpRequest

logger = logging.getLogger(__name__)
_METHODS: Final = {"password": "password", "socialaccount": "sso", "totp": "totp", "webauthn": "passkey", "recovery_codes": "recovery_code"}


def record_for(
    user: User, action: str, request: Any, *, outcome: Outcome = Outcome.ALLOWED, details: Mapping[str, Any] | None = None
) -> None:
    """Add the event to each of the user's organizations, or to the installation's chain for who has none."""
    actor = Actor.user(user, ip_of(request) if request is not None else "")
    organizations: list[UUID | None] = list(Membership.objects.filter(user=user).values_list("organization_id", flat=True))
    with transaction.atomic():
        for organization in sorted(organizations, key=str) or [None]:
            record(action, actor=actor, organization=organization, object=user, outcome=outcome, details=details)


def find_user(credentials: Mapping[str, Any] | None) -> User | None:
    """Whose account was tried, by the user name or e-mail address given; None for nobody's, or for more than one."""
    given = credentials or {}
    named = Q()
    if username := given.get("username"):
        named |= Q(username__iexact=str(username).replace("\x00", "")[:150])
    if email := given.get("email"):
        named |= Q(email__iexact=str(email).replace("\x00", "")[:254])
    if not named:
        return None
    users = list(User.objects.filter(named)[:2])
    return users[0] if len(users) == 1 else None


def methods_of(request: HttpRequest) -> list[str]:
    """How the person of this session proved who they are: `["password", "totp"]`."""
    records = request.session.get("account_authentication_methods") or []
    return [_METHODS.get(each.get("type") or each.get("method"), "other") for each in records if not each.get("reauthenticated")]


def _signed_in(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    record_for(user, "login.succeeded", request, details={"methods": methods_of(request)})


def _failed(sender: Any, credentials: Mapping[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    if request is None or getattr(request, "axes_locked_out", False):
        return  # within a pause nothing is tried, so nothing fails
    user = find_user(credentials)
    if user is None:
        logger.info("A sign-in failed: nobody has that name. It came from %s.", ip_of(request) or "an unknown address")
    else:
        record_for(user, "login.failed", request, outcome=Outcome.FAILED, details={"method": "password"})


def _second_factor_failed(sender: Any, request: HttpRequest, user: User, authenticator: Any = None, **kwargs: Any) -> None:
    kind = _METHODS.get(getattr(authenticator, "type", ""), "totp")
    record_for(user, "login.failed", request, outcome=Outcome.FAILED, details={"method": kind})


def _locked(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    began = getattr(request, "axes_failures_since_start", None)
    user = find_user(getattr(request, "axes_credentials", None))
    if began is not None and user is not None:
        record_for(user, "login.locked", request, outcome=Outcome.REFUSED, details={"failures": began})


def _signed_out(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        record_for(user, "logout", request)


def _password_changed(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    record_for(user, "password.changed", request)


def _authenticator_saved(sender: Any, instance: Any, created: bool, raw: bool = False, **kwargs: Any) -> None:
    """At the row itself, within its transaction: allauth's own signals come after the commit."""
    if created and not raw:
        made = instance.type == "recovery_codes"
        record_for(instance.user, "mfa.recovery_codes_made" if made else "mfa.enabled", _request(), details=_kind(instance))


def _authenticator_deleted(sender: Any, instance: Any, origin: Any = None, **kwargs: Any) -> None:
    if instance.type != "recovery_codes" and not isinstance(origin, User):
        record_for(instance.user, "mfa.disabled", _request(), details=_kind(instance))


def _kind(authenticator: Any) -> dict[str, str]:
    return {"kind": _METHODS.get(authenticator.type, "other")}


def _request() -> HttpRequest | None:
    from allauth.core import context  # noqa: PLC0415  # the request of this thread, None in a command

    request: HttpRequest | None = context.request
    return request


def _authenticator_used(sender: Any, request: HttpRequest, user: User, authenticator: Any, **kwargs: Any) -> None:
    if authenticator.type == "recovery_codes":
        record_for(user, "mfa.recovery_code_used", request)


def _connected(sender: Any, request: HttpRequest, sociallogin: Any, **kwargs: Any) -> None:
    record_for(sociallogin.user, "login.connected", request, details={"provider": sociallogin.account.provider})


def _disconnected(sender: Any, request: HttpRequest, socialaccount: Any, **kwargs: Any) -> None:
    record_for(socialaccount.user, "login.disconnected", request, details={"provider": socialaccount.provider})


def connect() -> None:
    """Called once the apps are loaded."""
    # First, and before axes' own receiver is: what this one sees is a request before the failure counts.
    user_login_failed.connect(_failed, dispatch_uid="llmconfig.signin_events._failed")
    from allauth.account import signals as account  # noqa: PLC0415  # reads settings that are ready only now
    from allauth.mfa import signals as mfa  # noqa: PLC0415
    from allauth.socialaccount import signals as social  # noqa: PLC0415
    from axes.signals import user_locked_out  # noqa: PLC0415

    receivers = {
        account.user_logged_in: _signed_in,
        mfa.authentication_failed: _second_factor_failed,
        user_locked_out: _locked,
        user_logged_out: _signed_out,
        account.password_changed: _password_changed,
        account.password_set: _password_changed,
        mfa.authenticator_used: _authenticator_used,
        social.social_account_added: _connected,
        social.social_account_removed: _disconnected,
    }
    authenticator = apps.get_model("mfa", "Authenticator")
    post_save.connect(_authenticator_saved, sender=authenticator, dispatch_uid="llmconfig.signin_events.authenticator_saved")
    post_delete.connect(_authenticator_deleted, sender=authenticator, dispatch_uid="llmconfig.signin_events.authenticator_deleted")
    for signal, receiver in receivers.items():
        signal.connect(receiver, dispatch_uid=f"llmconfig.signin_events.{receiver.__name__}")
