"""Tokens of Microsoft Entra ID for an application's own credentials, fetched as they are needed and kept until they nearly expire.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from llmconfig.llm import AuthenticationFailed, Overloaded, ProviderUnavailable, RateLimited, Secret
from llmconfig.providers.bodies import read_document
from llmconfig.wire.decoding import count, text_of
from llmconfig.wire.errors import retry_after
from llmconfig.wire.fault import clean

if TYPE_CHECKING:
    import httpx2

    from llmconfig.llm import ProviderError

AUTHORITY: Final = "https://login.microsoftonline.com"
_SCOPE: Final = "https://cognitiveservices.azure.{}/.default"
_CLOUDS: Final = {"login.microsoftonline.us": "us", "login.partner.microsoftonline.cn": "cn", "login.chinacloudapi.cn": "cn"}
_EARLY_S: Final = 60.0
_TRACE: Final = re.compile(r"\s*(Trace ID|Correlation ID|Timestamp):.*", re.DOTALL)
_LABEL: Final = "Microsoft Entra ID"


class EntraTokens:
    """For one client; belongs to its event loop. authority: the address of the cloud's sign-in, without the tenant."""

    def __init__(self, http: httpx2.AsyncClient, *, tenant: str, client: str, secret: Secret, authority: str = "") -> None:
        self._http, self._client, self._secret = http, client, secret
        root = (authority or AUTHORITY).rstrip("/")
        self._url = f"{root}/{quote(tenant, safe='')}/oauth2/v2.0/token"
        self._scope = _SCOPE.format(_CLOUDS.get((urlsplit(root).hostname or "").lower(), "com"))
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
        asked = asyncio.get_running_loop().time()
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client,
            "client_secret": self._secret.reveal(),
            "scope": self._scope,
        }
        request = self._http.build_request("POST", self._url, data=form)
        response = await self._http.send(request, stream=True)
        answer = await read_document(response)
        body: dict[str, Any] = answer if isinstance(answer, dict) else {}
        if response.status_code >= 300:
            raise _refused(response, body)
        token, lifetime = text_of(body.get("access_token")), count(body.get("expires_in"))
        if not token or lifetime is None:
            raise ProviderUnavailable(f"{urlsplit(self._url).netloc} answered, but not as {_LABEL} does.")
        return Secret(token), asked + lifetime


def _refused(response: httpx2.Response, body: dict[str, Any]) -> ProviderError:
    status = response.status_code
    said = clean(_TRACE.sub("", text_of(body.get("error_description")))) or clean(text_of(body.get("error")))
    if status == 429:
        return RateLimited(f"{_LABEL} asks to slow down ({status}).", status=status, retry_after=retry_after(response.headers))
    if status >= 500:
        return Overloaded(f"{_LABEL} is overloaded or failing ({status}).", status=status, retry_after=retry_after(response.headers))
    detail = f"{_LABEL} refused the tenant ID, client ID or client secret ({status})"
    return AuthenticationFailed(f"{detail}: {said}" if said else f"{detail}.", status=status)
