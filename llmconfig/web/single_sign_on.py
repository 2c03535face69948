"""Who may come in by single sign-on, and as what: domains, the organization that newcomers join, groups that name roles.

The provider of identities is the operator's choice (tenancy/single_sign_on.py), so its word on a verified e-mail address counts.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.db import transaction
from django.shortcuts import redirect, render

from llmconfig.models import Membership, Organization
from llmconfig.net import EgressPolicy
from llmconfig.services.joining import accept_invitation, join
from llmconfig.tenancy.audit import SYSTEM, record
from llmconfig.tenancy.caller import ip_of
from llmconfig.tenancy.errors import ServiceError
from llmconfig.tenancy.models import Role
from llmconfig.web.invitations import invitation_of, keep_problem

if TYPE_CHECKING:
    from django.http import HttpRequest

    from llmconfig.models import User
    from llmconfig.tenancy.single_sign_on import SingleSignOn

logger = logging.getLogger(__name__)
_PROVIDERS = {"openid_connect": "llmconfig.web.oidc:Provider", "saml": "llmconfig.web.saml:Provider"}


def configured(slug: str) -> SingleSignOn | None:
    """The provider with that slug, if the operator has set one up."""
    return next((each for each in (settings.OIDC, settings.SAML) if each is not None and each.slug == slug), None)


def register_provider(kind: str) -> None:
    """allauth would import every provider at start, and its HTTP client with it."""
    from allauth.socialaccount.providers import registry  # noqa: PLC0415  # models first

    if registry.get_class(kind) is None:
        module, _, name = _PROVIDERS[kind].partition(":")
        registry.register(getattr(import_module(module), name))


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # no stubs
    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        """From the operator's environment alone: a row of allauth's own table makes no provider."""
        from allauth.socialaccount.models import SocialApp  # noqa: PLC0415  # models first

        found = []
        for kind, sso in (("openid_connect", settings.OIDC), ("saml", settings.SAML)):
            if sso is None or provider not in {None, kind, sso.slug} or client_id not in {None, getattr(sso, "client_id", sso.slug)}:
                continue
            register_provider(kind)
            app = SocialApp(provider=kind, provider_id=sso.slug, name=sso.name[:40], client_id=sso.slug)
            import_module(f"llmconfig.web.{'oidc' if kind == 'openid_connect' else 'saml'}").describe(app, sso)
            app.settings |= {"verified_email": sso.trust_email, "email_authentication": sso.link_by_email}
            found.append(app)
        return found

    def list_providers(self, request: HttpRequest) -> list[Any]:
        return [app.get_provider(request) for app in self.list_apps(request)]

    def get_requests_session(self) -> Any:
        from llmconfig.net.requests_session import GuardedSession  # noqa: PLC0415  # loads an HTTP client

        return GuardedSession(EgressPolicy(frozenset(settings.PRIVATE_HOSTS)))

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Before anyone is signed in, connected or made: the address must be of an allowed domain, and the invitation's."""
        sso = configured(sociallogin.account.provider)
        verified = _verified(sociallogin)
        if sso is None:
            _refuse(request, "This way of signing in is not set up here.")
        elif sso.domains and not any(address.rpartition("@")[2].lower() in sso.domains for address in verified):
            _refuse(request, f"Sign in with an address of {' or '.join(sso.domains)} that {sso.name} has verified.")
        elif sociallogin.is_existing:
            _follow_groups(sso, sociallogin.user, sociallogin)

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        sso = configured(sociallogin.account.provider)
        if sso is None:
            return False
        if invitation_of(request) is None and _organization(sso) is None and not settings.SIGNUP:
            _refuse(request, "You have no account here yet, and newcomers join by invitation. Ask an admin of your organization for one.")
        return True

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        """A newcomer joins the organization that invites, else the configured one; only where there is none do they found their own."""
        sso = configured(sociallogin.account.provider)
        assert sso is not None  # noqa: S101  # `is_open_for_signup` has asked
        user: User = sociallogin.user
        invitation = invitation_of(request)
        organization = invitation.organization if invitation else _organization(sso)
        if organization is not None:
            user.joins = organization  # type: ignore[misc]  # the instance's own answer to the class's default
        try:
            with transaction.atomic():
                super().save_user(request, sociallogin, form)
                if invitation is not None:
                    accept_invitation(user=user, invitation=invitation, ip=ip_of(request), verified=_verified(sociallogin))
                elif organization is not None:
                    join(user=user, organization=organization, role=_role(sso, sociallogin), ip=ip_of(request), how="sso")
        except ServiceError as refused:
            keep_problem(request, refused.detail)
            raise ImmediateHttpResponse(redirect("join")) from None
        return user

    def on_authentication_error(self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, **kwargs: Any) -> None:
        note_failure(request, exception)

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: Any) -> str:
        return "/accounts/sso/connections/"


def _verified(sociallogin: Any) -> list[str]:
    return [address.email for address in sociallogin.email_addresses if address.verified]


def _organization(sso: SingleSignOn) -> Organization | None:
    """The one that newcomers join: named by its slug, or the only one there is."""
    if sso.organization:
        return Organization.objects.filter(slug=sso.organization).first()
    found = list(Organization.objects.all()[:2])
    return found[0] if len(found) == 1 else None


def _role_by_groups(sso: SingleSignOn, sociallogin: Any) -> Role | None:
    data = sociallogin.account.extra_data
    claims = {
        **data.get("id_token", {}),
        **data.get("userinfo", {}),
        **{key: value for key, value in data.items() if key == sso.groups_claim},
    }
    groups = claims.get(sso.groups_claim) or []
    names = {groups} if isinstance(groups, str) else {str(group) for group in groups}
    return next((Role(role) for group, role in sso.group_roles.items() if group in names), None)


def _role(sso: SingleSignOn, sociallogin: Any) -> Role:
    return _role_by_groups(sso, sociallogin) or Role(sso.role)


def _follow_groups(sso: SingleSignOn, user: User, sociallogin: Any) -> None:
    """Where groups name roles, a sign-in brings the role up to date. An owner stays one: their role is the organization's own affair."""
    organization = _organization(sso)
    if not sso.group_roles or organization is None:
        return
    role = _role(sso, sociallogin)
    with transaction.atomic():
        held = (
            Membership.objects.filter(organization=organization, user=user).exclude(role__in=[Role.OWNER, role]).select_for_update().first()
        )
        if held is not None:
            before, held.role = held.role, role
            held.save(update_fields=["role"])
            details = {"role": role.value, "before": before, "how": "sso"}
            record("member.role_changed", actor=SYSTEM, organization=organization.pk, object=user, details=details)


def note_failure(request: HttpRequest, error: BaseException | None) -> None:
    """One line for the operator. An error that quotes the issuer's answer is named alone: the answer may repeat our secret."""
    from llmconfig.net.requests_session import ExchangeFailed  # noqa: PLC0415  # loads an HTTP client, which has failed here
    from llmconfig.web.oidc import NotAccepted  # noqa: PLC0415

    why = str(error) if isinstance(error, (NotAccepted, ExchangeFailed)) else type(error).__name__
    logger.warning("A sign-in by single sign-on failed: %s", why)


def _refuse(request: HttpRequest, detail: str) -> None:
    page = render(request, "socialaccount/authentication_error.html", {"detail": detail}, status=403)
    raise ImmediateHttpResponse(page)
