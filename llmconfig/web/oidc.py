"""Sign-in by OpenID Connect: allauth's code flow with PKCE and state, and what it leaves out: a nonce, and the signature of every id token.

allauth trusts an id token that came from the token endpoint without looking at its signature. A token endpoint of a private network may
be plain HTTP, and a check costs one request.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Final

import jwt
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from llmconfig.tenancy.single_sign_on import OpenIDConnect

_NONCE: Final = "oidc_nonce"
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that the issuer alone can make: never `none`, and no HMAC, whose key would be the issuer's public one."""
_LEEWAY_S: Final = 60
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def describe(app: SocialApp, sso: OpenIDConnect) -> None:
    app.client_id, app.secret = sso.client_id, sso.client_secret
    app.settings = {
        "server_url": sso.issuer,
        "oauth_pkce_enabled": True,
        "scope": list(sso.scopes),
        "fetch_userinfo": True,
    }


class NotAccepted(OAuth2Error):  # type: ignore[misc]  # no stubs
    """An answer of the issuer's that is refused. The message is our own and may be logged."""


class Adapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # no stubs
    @property
    def openid_config(self) -> dict[str, Any]:
        """Raises NotAccepted for a document that is not this issuer's, as OpenID Connect Discovery (4.3) demands."""
        try:
            config: dict[str, Any] = super().openid_config
        except ValueError:
            raise NotAccepted("The issuer's configuration is not JSON.") from None
        if not isinstance(config, dict) or any(not isinstance(config.get(name), str) for name in _ENDPOINTS):
            raise NotAccepted("The issuer's configuration names no endpoints.")
        if str(config.get("issuer", "")).rstrip("/") != str(self.get_provider().app.settings["server_url"]).rstrip("/"):
            raise NotAccepted("The configuration is another issuer's.")
        return config

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any) -> Any:
        """Claims of the id token, and of the userinfo that is about the same subject."""
        encoded = kwargs["response"].get("id_token")
        if not encoded:
            raise NotAccepted("There is no id token.")
        claims = self._decode_id_token(app, encoded)
        data = {"id_token": claims}
        if "userinfo_endpoint" in self.openid_config:
            userinfo = self._fetch_user_info(token.token)
            if userinfo.get("sub") != claims["sub"]:
                raise NotAccepted("The userinfo is about someone else.")
            data["userinfo"] = {**claims, **userinfo}
        return self.get_provider().sociallogin_from_response(request, data)

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(id_token)
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key=self._key(header.get("kid")),
                algorithms=list(_ALGORITHMS),
                issuer=self.openid_config["issuer"],
                audience=app.client_id,
                leeway=_LEEWAY_S,
                options={"require": ["iss", "aud", "exp", "iat", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, KeyError, TypeError) as error:
            raise NotAccepted(f"The id token is not valid ({type(error).__name__}).") from None
        expected = self.request.session.pop(_NONCE, None)
        if not expected or not secrets.compare_digest(str(claims.get("nonce", "")), expected):
            raise NotAccepted("The id token answers another request.")
        if claims.get("azp", app.client_id) != app.client_id:
            raise NotAccepted("The id token is another application's.")
        return claims

    def _key(self, kid: str | None) -> Any:
        with get_adapter().get_requests_session() as session:
            answer = session.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
            keys = [key for key in answer.json()["keys"] if key.get("use", "sig") == "sig" and key.get("kty") != "oct"]
        chosen = [key for key in keys if key.get("kid") == kid] if kid else keys
        if len(chosen) != 1:
            raise KeyError("no such key")
        return jwt.PyJWK.from_json(json.dumps(chosen[0])).key

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        path = reverse("openid_connect_callback", kwargs={"provider_id": self.provider_id})
        return f"{settings.ORIGIN}{path}" if settings.ORIGIN else request.build_absolute_uri(path)


class Provider(OpenIDConnectProvider):  # type: ignore[misc]  # no stubs
    oauth2_adapter_class = Adapter

    @classmethod
    def get_package(cls) -> str:
        return "allauth.socialaccount.providers.openid_connect"

    def get_auth_params_from_request(self, request: HttpRequest, action: Any) -> dict[str, Any]:
        """Nothing of the address that was called: it would let a link decide what is asked of the issuer."""
        nonce = secrets.token_urlsafe(24)
        request.session[_NONCE] = nonce
        return {**self.get_auth_params(), "nonce": nonce}

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:
        scopes: list[str] = self.get_scope()
        return scopes

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        """`email_verified` counts where it is true itself; some issuers send "false" as text."""
        addresses: list[Any] = super().extract_email_addresses(data)
        for address in addresses:
            address.verified = address.verified is True or (isinstance(address.verified, str) and address.verified.lower() == "true")
        return addresses


def began_elsewhere(request: HttpRequest) -> bool:
    """Whether another site leads here: signing in is this person's own wish, said on a page of ours."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}


@never_cache
def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    return _answer(request, OAuth2LoginView, provider_id, confirm=began_elsewhere(request))


@never_cache
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    return _answer(request, OAuth2CallbackView, provider_id, confirm=False)


def _answer(request: HttpRequest, view: Any, provider_id: str, *, confirm: bool) -> HttpResponse:
    from llmconfig.net.requests_session import RequestFailed  # noqa: PLC0415  # loads an HTTP client

    if settings.OIDC is None or provider_id != settings.OIDC.slug:
        raise Http404
    if confirm:
        return render(request, "socialaccount/login.html", {"provider": settings.OIDC})
    try:
        answer: HttpResponse = view.adapter_view(Adapter(request, provider_id))(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except (OAuth2Error, RequestFailed, PermissionDenied) as error:
        return _failed(request, error)
    return answer


def _failed(request: HttpRequest, error: Exception) -> HttpResponse:
    from llmconfig.web.single_sign_on import note_failure  # noqa: PLC0415  # that module names this one

    note_failure(request, error)
    return render(request, "socialaccount/authentication_error.html", {}, status=502)
