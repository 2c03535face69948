"""Access tokens for a service account of Google Cloud, from the JSON key that its owner downloaded.

The key names the address that its tokens come from. Only a signed statement goes there, and never the key.
https://developers.google.com/identity/protocols/oauth2/service-account
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from llmconfig.llm import AuthenticationFailed, Secret
from llmconfig.providers.access_tokens import AccessTokens
from llmconfig.wire.decoding import optional_object, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from llmconfig.net import EgressPolicy

_TOKENS: Final = "https://oauth2.googleapis.com/token"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME_S: Final = 3600
_PASTE: Final = "Paste the whole JSON key of the service account as Google Cloud gave it to you"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What a JSON key holds. key: the private key, PEM."""

    email: str
    key: Secret
    key_id: str
    token_uri: str
    project: str

    @classmethod
    def read(cls, secret: Secret) -> ServiceAccount:
        """Raises `AuthenticationFailed`, in words that quote nothing of it."""
        try:
            value: object = json.loads(secret.reveal())
        except (ValueError, RecursionError):
            value = None
        row = optional_object(value)
        email, key = text_of(row.get("client_email")), text_of(row.get("private_key"))
        if row.get("type") != "service_account" or not email or "PRIVATE KEY" not in key:
            raise AuthenticationFailed(f"This is not the key of a service account. {_PASTE}.")
        return cls(
            email, Secret(key), text_of(row.get("private_key_id")), text_of(row.get("token_uri")) or _TOKENS, text_of(row.get("project_id"))
        )


class GoogleTokens(AccessTokens):
    label = "Google's sign-in"
    address = "token_uri of the service account"
    refuses = "Google refused the service account"

    def __init__(self, http: httpx2.AsyncClient, account: ServiceAccount, egress: EgressPolicy) -> None:
        super().__init__(http, url=account.token_uri, egress=egress)
        self._account = account

    async def _form(self) -> Mapping[str, str]:
        """Signed in a thread: nobody says how long the key may be."""
        return {"grant_type": _GRANT, "assertion": await asyncio.to_thread(self._statement)}

    def _statement(self) -> str:
        """Signed. Whatever the library says of a bad key may quote it: none of that is passed on."""
        account, now = self._account, int(time.time())
        claims = {"iss": account.email, "scope": _SCOPE, "aud": account.token_uri, "iat": now, "exp": now + _LIFETIME_S}
        jwt: Any = import_module("jwt")
        signed = ""
        with suppress(Exception):
            signed = jwt.encode(claims, account.key.reveal(), algorithm="RS256", headers={"kid": account.key_id})
        if not signed:
            raise AuthenticationFailed(f"The private key of the service account cannot be read. {_PASTE}.")
        return signed
