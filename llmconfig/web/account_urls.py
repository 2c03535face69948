"""Every account page that can be reached, under /accounts/. What allauth has for e-mail (addresses, codes) is not here: none is sent.

The views are imported at their first request. They stand on forms, WebAuthn, QR codes and an HTTP client, which take longer to import
than all the rest of `manage.py check`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.urls import path, re_path

from llmconfig.web import account, invitations
from llmconfig.web.views import password_reset

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponseBase
    from django.urls import URLPattern


def lazy(module: str, name: str) -> Callable[..., HttpResponseBase]:
    """A view by its place. What its decorators say to middleware would not be seen, and none of these says anything (a test holds it)."""

    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer: HttpResponseBase = getattr(import_module(module), name)(request, *args, **kwargs)
        return answer

    view.__name__, view.__qualname__ = name, f"{module}.{name}"
    return view


_ACCOUNT, _MFA, _SOCIAL = "allauth.account.views", "allauth.mfa", "allauth.socialaccount.views"
_TOTP, _CODES, _PASSKEYS = f"{_MFA}.totp.views", f"{_MFA}.recovery_codes.views", f"{_MFA}.webauthn.views"

urlpatterns: list[URLPattern] = [
    path("", account.overview, name="account"),
    path("sessions/", account.sessions, name="usersessions_list"),
    path("sessions/<int:id>/end/", account.end_session, name="session-end"),
    path("invitation/", invitations.invitation, name="join"),
    path("invitation/<str:value>/", invitations.open_link, name="join-link"),
    path("login/", lazy("llmconfig.web.account_forms", "login"), name="account_login"),
    path("logout/", lazy(_ACCOUNT, "logout"), name="account_logout"),
    path("inactive/", lazy(_ACCOUNT, "account_inactive"), name="account_inactive"),
    path("signup/", lazy("llmconfig.web.account_forms", "signup"), name="account_signup"),
    path("reauthenticate/", lazy(_ACCOUNT, "reauthenticate"), name="account_reauthenticate"),
    path("password/change/", lazy(_ACCOUNT, "password_change"), name="account_change_password"),
    path("password/set/", lazy(_ACCOUNT, "password_set"), name="account_set_password"),
    path("password/reset/", password_reset, name="account_reset_password"),
    re_path(r"^password/reset/", password_reset),
    path("2fa/", lazy(f"{_MFA}.base.views", "index"), name="mfa_index"),
    path("2fa/authenticate/", lazy("llmconfig.web.account_forms", "authenticate"), name="mfa_authenticate"),
    path("2fa/reauthenticate/", lazy(f"{_MFA}.base.views", "reauthenticate"), name="mfa_reauthenticate"),
    path("2fa/totp/activate/", lazy(_TOTP, "activate_totp"), name="mfa_activate_totp"),
    path("2fa/totp/deactivate/", lazy(_TOTP, "deactivate_totp"), name="mfa_deactivate_totp"),
    path("2fa/recovery-codes/", lazy(_CODES, "view_recovery_codes"), name="mfa_view_recovery_codes"),
    path("2fa/recovery-codes/generate/", lazy(_CODES, "generate_recovery_codes"), name="mfa_generate_recovery_codes"),
    path("2fa/passkeys/", lazy(_PASSKEYS, "list_webauthn"), name="mfa_list_webauthn"),
    path("2fa/passkeys/add/", lazy(_PASSKEYS, "add_webauthn"), name="mfa_add_webauthn"),
    path("2fa/passkeys/login/", lazy(_PASSKEYS, "login_webauthn"), name="mfa_login_webauthn"),
    path("2fa/passkeys/reauthenticate/", lazy(_PASSKEYS, "reauthenticate_webauthn"), name="mfa_reauthenticate_webauthn"),
    path("2fa/passkeys/<int:pk>/remove/", lazy(_PASSKEYS, "remove_webauthn"), name="mfa_remove_webauthn"),
    path("2fa/passkeys/<int:pk>/edit/", lazy(_PASSKEYS, "edit_webauthn"), name="mfa_edit_webauthn"),
    path("sso/connections/", lazy("llmconfig.web.account_forms", "connections"), name="socialaccount_connections"),
    path("sso/cancelled/", lazy(_SOCIAL, "login_cancelled"), name="socialaccount_login_cancelled"),
    path("sso/error/", lazy(_SOCIAL, "login_error"), name="socialaccount_login_error"),
    path("sso/signup/", lazy(_SOCIAL, "signup"), name="socialaccount_signup"),
    path("oidc/<slug:provider_id>/login/", lazy("llmconfig.web.oidc", "login"), name="openid_connect_login"),
    path("oidc/<slug:provider_id>/login/callback/", lazy("llmconfig.web.oidc", "callback"), name="openid_connect_callback"),
]
if settings.SAML is not None:
    from django.views.decorators.csrf import csrf_exempt

    _SAML = "allauth.socialaccount.providers.saml.views"
    urlpatterns += [
        path("saml/<slug:organization_slug>/login/", lazy("llmconfig.web.saml", "login"), name="saml_login"),
        # The identity provider's page posts here; the assertion is signed, and answers a request of this session.
        path("saml/<slug:organization_slug>/acs/", csrf_exempt(lazy(_SAML, "acs")), name="saml_acs"),
        path("saml/<slug:organization_slug>/acs/finish/", lazy(_SAML, "finish_acs"), name="saml_finish_acs"),
        path("saml/<slug:organization_slug>/sls/", lazy(_SAML, "sls"), name="saml_sls"),
        path("saml/<slug:organization_slug>/metadata/", lazy(_SAML, "metadata"), name="saml_metadata"),
    ]
