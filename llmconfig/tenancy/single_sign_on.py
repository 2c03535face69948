"""What the operator says of a provider of identities. Pure: settings are read before there are models."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SingleSignOn:
    """What is the same for both.

    slug: in its addresses. domains: of e-mail addresses that may sign in, () any. organization: the slug of the one that newcomers
    join; "" the only one there is. groups_claim, group_roles: the first of a person's groups that stands there decides the role.
    link_by_email: whoever comes with a verified address signs in to the account that has it. trust_email: addresses count as verified
    though the provider doesn't say so.
    """

    slug: str
    name: str
    domains: tuple[str, ...]
    organization: str
    role: str
    groups_claim: str
    group_roles: dict[str, str]
    link_by_email: bool
    trust_email: bool


@dataclass(frozen=True)
class OpenIDConnect(SingleSignOn):
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()

    @property
    def login_path(self) -> str:
        return f"/accounts/oidc/{self.slug}/login/"


@dataclass(frozen=True)
class Saml(SingleSignOn):
    """certificate: the identity provider's, PEM or its base64 alone. Its metadata are not fetched: that client would pass the guard by."""

    entity_id: str
    sso_url: str
    certificate: str
    email_attribute: str

    @property
    def login_path(self) -> str:
        return f"/accounts/saml/{self.slug}/login/"
