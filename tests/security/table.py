"""Who may do what at every address: api.md's table, restated. A route that is not here fails the matrix.

A new route is one line: its path as its `urlpatterns` have it (`<uuid:` counts as `<id:`), what its `id` names, and for each method
who may, with a body that is taken, and what the answer then is. An answer of 4xx there means: the gate was passed, and then
the body or the state of things was refused. shared: what it takes besides where the object is one that the organization shares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ROLES = ("viewer", "member", "auditor", "admin", "owner")


@dataclass(frozen=True)
class May:
    """roles that may, and the least scope of a token for it."""

    roles: str
    scope: str


SEE = May("viewer member auditor admin owner", "read")
READ_OWN = May("member admin owner", "read")
RUN = May("member admin owner", "run")
MANAGE = May("member admin owner", "admin")
WATCH = May("auditor admin owner", "read")
SHARE = May("admin owner", "admin")
OWN_IT = May("owner", "admin")
LEAVE = May("viewer member auditor admin owner", "admin")
ANY = May("viewer member auditor admin owner", "read")
SCOPES = {"session": {"read", "run", "admin"}, "admin": {"read", "run", "admin"}, "run": {"read", "run"}, "read": {"read"}}


Rule = Callable[[str, str], int | None]
"""From a role and whose the object is to the answer, where the usual one does not hold: None where it does."""


@dataclass(frozen=True)
class Verb:
    may: May
    answer: int = 200
    body: dict[str, Any] = field(default_factory=dict)
    shared: May | None = None
    rule: Rule | None = None
    by_token: int | None = None
    """The answer where only a session may."""


@dataclass(frozen=True)
class Route:
    """thing: what the path's ids name (stage.py makes them), "" for a path without ids."""

    thing: str
    verbs: dict[str, Verb]


def at(thing: str = "", **verbs: Verb) -> Route:
    return Route(thing, verbs)


def v(
    may: May,
    answer: int = 200,
    body: dict[str, Any] | None = None,
    shared: May | None = None,
    rule: Rule | None = None,
    by_token: int | None = None,
) -> Verb:
    return Verb(may, answer, body or {}, shared, rule, by_token)


def revoked_by_admins(role: str, whose: str) -> int | None:
    """Admins see everybody's tokens, and revoke those of people below them; owners everybody's."""
    if whose in ("colleague", "senior") and role in ("admin", "owner"):
        return 403 if (role, whose) == ("admin", "senior") else 204
    return None


def taken_out(role: str, whose: str) -> int | None:
    """Members are seen by all. Anyone leaves but the last owner; admins take out those below them, owners everybody."""
    if whose == "own":
        return 409 if role == "owner" else 204
    if whose in ("colleague", "senior"):
        return 204 if role == "owner" or (role, whose) == ("admin", "colleague") else 403
    return None


def given_a_role(role: str, whose: str) -> int | None:
    if whose == "own":
        return 409 if role == "owner" else 403
    if whose in ("colleague", "senior"):
        return 200 if role == "owner" or whose == "colleague" else 403
    return None


def the_organizations(answer: int) -> Rule:
    """Whoever made it, it belongs to all who may."""
    return lambda role, whose: answer if whose in ("own", "colleague", "senior") else None


# fmt: off
# ruff: noqa: E501
API = {
    "api/user/llm-config": at(GET=v(SEE), POST=v(MANAGE, 201, {"provider_type": "anthropic", "api_key": "sk-ant-0123456789abcdef"})),
    "api/user/llm-config/test": at(POST=v(MANAGE, 400)),
    "api/user/llm-config/<id:id>": at("config", GET=v(SEE), PATCH=v(MANAGE, 200, {"name": "New"}, SHARE), DELETE=v(MANAGE, 204, shared=SHARE)),
    "api/user/llm-config/<id:id>/usage": at("config", GET=v(SEE)),
    "api/user/llm-config/<id:id>/restore-key": at("config", POST=v(MANAGE, 409, shared=SHARE)),
    "api/user/llm-config/<id:id>/retired-keys": at("config", DELETE=v(MANAGE, 204, shared=SHARE)),
    "api/user/llm-config/<id:id>/models/refresh": at("config", POST=v(MANAGE)),
    "api/providers": at(GET=v(SEE)),
    "api/models": at(GET=v(SEE), POST=v(SHARE, 400)),
    "api/models/<id:id>": at("custom model", GET=v(SEE), PATCH=v(SHARE, 200, {"label": "New"}), DELETE=v(SHARE, 204)),
    "api/tokens": at(GET=v(READ_OWN), POST=v(MANAGE, 201, {"name": "New"})),
    "api/tokens/<id:id>": at("token", DELETE=v(MANAGE, 204, rule=revoked_by_admins)),
    "api/organization": at(GET=v(SEE), PATCH=v(SHARE, 200, {"name": "New"}), DELETE=v(OWN_IT, 400)),
    "api/organization/switch": at(POST=v(ANY, 400, by_token=409)),
    "api/organization/rotate-keys": at(POST=v(OWN_IT, 202)),
    "api/organization/members": at(GET=v(SEE), POST=v(SHARE, 201, {"role": "viewer"})),
    "api/organization/members/<id:id>": at("member", PATCH=v(SHARE, 200, {"role": "viewer"}, rule=given_a_role), DELETE=v(LEAVE, 204, rule=taken_out)),
    "api/organization/invitations": at(GET=v(SHARE)),
    "api/organization/invitations/<id:id>": at("invitation", GET=v(SHARE, rule=the_organizations(200)), DELETE=v(SHARE, 204, rule=the_organizations(204))),
    "api/organization/invitations/<id:id>/renew": at("invitation", POST=v(SHARE, 200, rule=the_organizations(200))),
    "api/organizations": at(GET=v(ANY), POST=v(ANY, 201, {"name": "New"}, by_token=409)),
    "api/audit": at(GET=v(WATCH)),
    "api/audit/verify": at(GET=v(WATCH), POST=v(WATCH)),
    "api/attachments": at(GET=v(READ_OWN), POST=v(RUN, 415)),
    "api/attachments/<id:id>": at("attachment", GET=v(READ_OWN), DELETE=v(RUN, 204)),
    "api/attachments/<id:id>/content": at("attachment", GET=v(READ_OWN)),
    "api/conversations": at(GET=v(READ_OWN), POST=v(RUN, 201)),
    "api/conversations/<id:id>": at("conversation", GET=v(READ_OWN), PATCH=v(RUN, 200, {"title": "New"}), DELETE=v(RUN, 204)),
    "api/conversations/<id:id>/messages": at("conversation", GET=v(READ_OWN), POST=v(RUN, 202, {"content": "Hello"})),
    "api/runs/<id:id>": at("run", GET=v(READ_OWN)),
    "api/runs/<id:id>/cancel": at("run", POST=v(RUN, 202)),
    "api/runs/<id:id>/events": at("run", GET=v(READ_OWN)),
    "api/tool-calls/<id:id>/approve": at("call", POST=v(RUN)),
    "api/tool-calls/<id:id>/deny": at("call", POST=v(RUN)),
    "api/tool-calls/<id:id>/resolve": at("call", POST=v(RUN, 409, {"outcome": "skip"})),
    "api/user/services": at(GET=v(SEE), POST=v(MANAGE, 400)),
    "api/user/services/<id:id>": at("service", GET=v(SEE), PATCH=v(MANAGE, 200, {"display_name": "New"}, SHARE), DELETE=v(MANAGE, 204, shared=SHARE)),
    "api/user/services/<id:id>/test": at("service", POST=v(MANAGE)),
    "api/user/services/<id:id>/tools": at("service", GET=v(SEE)),
    "api/user/services/<id:id>/tools/<path:name>": at("tool", PATCH=v(MANAGE, 200, {"policy": "deny"}, SHARE)),
    "api/user/services/<id:id>/tools/<path:name>/approve": at("tool", POST=v(MANAGE, 409, shared=SHARE)),
    "api/user/services/<id:id>/grants": at("service", GET=v(READ_OWN)),
    "api/user/services/<id:id>/grants/<id:grant>": at("grant", DELETE=v(RUN, 204)),
}
"""REST: anonymous is 401, a role or scope that may not is 403, an id that is not there for the caller is 404."""

PAGES = {
    "",
    "c/<id:conversation_id>/",
    "settings/services/",
    "settings/providers/",
    "settings/tokens/",
    "organization/",
    "audit/",
}
"""Shells whose data the browser reads from the API: for whoever is signed in; anyone else is sent to sign in."""

PAGES_OF = {"audit/": ("auditor", "admin", "owner")}
"""Pages that other roles are told they may not read."""

ANYONE = {
    "api/schema/": "",
    "api/docs/": "",
    "healthz": "",
    "readyz": "",
    "settings/": "",  # sends on to a page
    "accounts/^password/reset/": "accounts/password/reset/x/",
    "accounts/login/": "",
    "accounts/logout/": "",
    "accounts/inactive/": "",
    "accounts/signup/": "",
    "accounts/password/reset/": "",
    "accounts/invitation/": "",
    "accounts/invitation/<str:value>/": "accounts/invitation/none/",
    "accounts/2fa/passkeys/login/": "",
    "accounts/sso/cancelled/": "",
    "accounts/sso/error/": "",
    "accounts/sso/signup/": "",
    "accounts/oidc/<slug:provider_id>/login/": "accounts/oidc/none/login/",
    "accounts/oidc/<slug:provider_id>/login/callback/": "accounts/oidc/none/login/callback/",
}
"""The same for everybody, or a form that whoever is not signed in may send; an address to ask where the route is an expression."""

SIGNED_IN = {
    "organization/new/": "",
    "organization/switch/": "",
    "accounts/": "",
    "accounts/sessions/": "",
    "accounts/sessions/<int:id>/end/": "",
    "accounts/reauthenticate/": "",
    "accounts/password/change/": "",
    "accounts/password/set/": "",
    "accounts/2fa/": "",
    "accounts/2fa/authenticate/": "",
    "accounts/2fa/reauthenticate/": "",
    "accounts/2fa/totp/activate/": "",
    "accounts/2fa/totp/deactivate/": "",
    "accounts/2fa/recovery-codes/": "",
    "accounts/2fa/recovery-codes/generate/": "",
    "accounts/2fa/passkeys/": "",
    "accounts/2fa/passkeys/add/": "",
    "accounts/2fa/passkeys/reauthenticate/": "",
    "accounts/2fa/passkeys/<int:pk>/remove/": "",
    "accounts/2fa/passkeys/<int:pk>/edit/": "",
    "accounts/sso/connections/": "",
}
"""A person's own account, and forms for whoever is signed in: anyone else is sent to sign in."""
# fmt: on

ADMIN = "admin/"
"""Everything below is the operator's: staff alone, also where an organization's owner asks."""
ADMIN_FOR_ANYONE = {"admin/login/", "admin/logout/"}
