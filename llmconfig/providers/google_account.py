"""Access tokens for a service account of Google Cloud, from the JSON key that its owner downloaded.

The key names the address that its tokens come from. It is whatever a person pasted: it is judged before anything goes there, and
only a signed statement does. https://developers.google.com/identity/protocols/oauth2/service-account
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from llmconfig.llm import AuthenticationFailed, Overloaded, ProviderUnavailable, RateLimited, Secret
from llmconfig.net import UrlForbidden, check_url
from llmconfig.providers.bodies import read_document
from llmconfig.providers.failures import describe
from llmconfig.wire.decoding import count, optional_object, text_of
from llmconfig.wire.errors import retry_after
from llmconfig.wire.fault import clean

if TYPE_CHECKING:
    import httpx2

    from llmconfig.llm import ProviderError
    from llmconfig.net import EgressPolicy

_TOKENS: Final = "https://oauth2.googleapis.com/token"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME_S: Final = 3600
_EARLY_S: Final = 60.0
_LABEL: Final = "Google"
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


class GoogleTokens:
    """For one client; belongs to its event loop."""

    def __init__(self, http: httpx2.AsyncClient, account: ServiceAccount, egress: EgressPolicy) -> None:
        self._http, self._account, self._egress = http, account, egress
        self._host = urlsplit(account.token_uri).netloc
        self._token, self._expires = Secret(""), 0.0
        self._exchange = asyncio.Lock()

    async def token(self) -> Secret:
        """One that is good for a minute at least. Raises a `ProviderError`; whoever waits for the same exchange tries anew after it."""
        async with self._exchange:
            if not self._token or asyncio.get_running_loop().time() >= self._expires - _EARLY_S:
                self._token, self._expires = await self._fetched()
            return self._token

    def forget(self, token: Secret) -> None:
        """It was refused; the next one is fetched, unless that has happened already."""
        if token == self._token:
            self._token = Secret("")

    async def _fetched(self) -> tuple[Secret, float]:
        self._check_address()
        asked = asyncio.get_running_loop().time()
        form = {"grant_type": _GRANT, "assertion": self._statement()}
        status, headers, body = await self._answer(self._http.build_request("POST", self._account.token_uri, data=form))
        if status >= 300:
            raise _refused(status, headers, body)
        token, lifetime = text_of(body.get("access_token")), count(body.get("expires_in"))
        if not token or lifetime is None:
            raise self._no_tokens()
        return Secret(token), asked + lifetime

    async def _answer(self, request: httpx2.Request) -> tuple[int, Any, dict[str, Any]]:
        try:
            response = await self._http.send(request, stream=True)
            body = optional_object(await read_document(response))
        except Exception as error:
            failure = describe(error, host=self._host, label=_LABEL)
            if failure is None:
                raise
        else:
            return response.status_code, response.headers, body
        raise failure

    def _check_address(self) -> None:
        """https, or a host that the operator listed."""
        problem = ""
        parts = urlsplit(self._account.token_uri)
        try:
            check_url(self._account.token_uri, self._egress)
        except UrlForbidden as error:
            problem = str(error)
        else:
            if parts.scheme != "https" and not self._egress.lists(parts.hostname or "", parts.port or 80):
                problem = "It must begin with https://."
        if problem:
            raise AuthenticationFailed(f"The token_uri of the service account cannot be used. {problem}")

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

    def _no_tokens(self) -> ProviderUnavailable:
        return ProviderUnavailable(f"{self._host} answered, but not as {_LABEL}'s sign-in does.")


def _refused(status: int, headers: Any, body: dict[str, Any]) -> ProviderError:
    said = clean(text_of(body.get("error_description"))) or clean(text_of(body.get("error")))
    if status == 429:
        return RateLimited(f"{_LABEL}'s sign-in asks to slow down ({status}).", status=status, retry_after=retry_after(headers))
    if status >= 500:
        return Overloaded(f"{_LABEL}'s sign-in is overloaded or failing ({status}).", status=status, retry_after=retry_after(headers))
    detail = f"{_LABEL} refused the service account ({status})"
    return AuthenticationFailed(f"{detail}: {said.rstrip('.')}." if said else f"{detail}.", status=status)
