"""Single sign-on from the environment: OpenID Connect and SAML, each off until its first variable is set."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from llmconfig.tenancy.single_sign_on import OpenIDConnect, Saml

if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[..., str]

ROLES: Final = ("admin", "member", "viewer", "auditor")
"""Owners are made by owners, never by a provider of identities."""


def oidc(read: Reader) -> OpenIDConnect | None:
    """None unless an issuer is named; then the client's id and secret must be, too."""
    issuer = read("ROUTEKIT_OIDC_ISSUER", default="").strip()
    if not issuer:
        return None
    if urlsplit(issuer).scheme not in {"https", "http"} or not urlsplit(issuer).netloc:
        raise ImproperlyConfigured("ROUTEKIT_OIDC_ISSUER is not a URL. Write it as https://login.example.com/realms/main.")
    needed = _needed(read, "ROUTEKIT_OIDC", "client_id", "client_secret")
    scopes = tuple(read("ROUTEKIT_OIDC_SCOPES", default="openid profile email").replace(",", " ").split())
    return OpenIDConnect(issuer=issuer, scopes=scopes, **needed, **_common(read, "ROUTEKIT_OIDC", "sso"))


def saml(read: Reader) -> Saml | None:
    """None unless the identity provider's entity id is named."""
    if not read("ROUTEKIT_SAML_ENTITY_ID", default=""):
        return None
    if find_spec("onelogin") is None:
        raise ImproperlyConfigured("ROUTEKIT_SAML_ENTITY_ID needs what is not installed: pip install 'routekit[saml]', or unset it.")
    needed = _needed(read, "ROUTEKIT_SAML", "entity_id", "sso_url", "certificate")
    attribute = read("ROUTEKIT_SAML_EMAIL_ATTRIBUTE", default="email")
    return Saml(email_attribute=attribute, **needed, **_common(read, "ROUTEKIT_SAML", "saml"))


def _needed(read: Reader, prefix: str, *names: str) -> dict[str, Any]:
    values = {name: read(f"{prefix}_{name.upper()}", default="").strip() for name in names}
    for name, value in values.items():
        if not value:
            raise ImproperlyConfigured(f"{prefix}_{name.upper()} is missing. The identity provider's console shows it.")
    return values


def _common(read: Reader, prefix: str, slug: str) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": read(f"{prefix}_NAME", default="single sign-on"),
        "domains": tuple(domain.lower().lstrip("@") for domain in _list(read, f"{prefix}_DOMAINS")),
        "organization": read(f"{prefix}_ORGANIZATION", default=""),
        "role": _role(f"{prefix}_ROLE", read(f"{prefix}_ROLE", default="member")),
        "groups_claim": read(f"{prefix}_GROUPS_CLAIM", default="groups"),
        "group_roles": _group_roles(read, f"{prefix}_GROUP_ROLES"),
        "link_by_email": _flag(read, f"{prefix}_LINK_BY_EMAIL", default=True),
        "trust_email": _flag(read, f"{prefix}_TRUST_EMAIL", default=False),
    }


def _list(read: Reader, name: str) -> list[str]:
    return [entry.strip() for entry in read(name, default="").split(",") if entry.strip()]


def _flag(read: Reader, name: str, *, default: bool) -> bool:
    text = read(name, default="").strip().lower()
    if text not in {"", "1", "true", "on", "yes", "0", "false", "off", "no"}:
        raise ImproperlyConfigured(f"{name} is neither on nor off. Set it to 1 or 0.")
    return text in {"1", "true", "on", "yes"} if text else default


def _role(name: str, value: str) -> str:
    if value not in ROLES:
        raise ImproperlyConfigured(f"{name} names a role that is none of {', '.join(ROLES)}.")
    return value


def _group_roles(read: Reader, name: str) -> dict[str, str]:
    pairs = [entry.rpartition("=") for entry in _list(read, name)]
    return {group.strip(): _role(name, role.strip()) for group, _, role in pairs}
