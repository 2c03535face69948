"""Tokens of Microsoft Entra ID for an application's own credentials.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from llmconfig.providers.access_tokens import AccessTokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from llmconfig.llm import Secret
    from llmconfig.net import EgressPolicy

AUTHORITY: Final = "https://login.microsoftonline.com"
_SCOPE: Final = "https://cognitiveservices.azure.{}/.default"
_CLOUDS: Final = {"login.microsoftonline.us": "us", "login.partner.microsoftonline.cn": "cn", "login.chinacloudapi.cn": "cn"}
_TRACE: Final = re.compile(r"\s*(Trace ID|Correlation ID|Timestamp):.*", re.DOTALL)


class EntraTokens(AccessTokens):
    """authority: the address of the cloud's sign-in, without the tenant."""

    label = "Microsoft Entra ID"
    address = "sign-in address"
    refuses = "Microsoft Entra ID refused the tenant ID, client ID or client secret"

    def __init__(
        self, http: httpx2.AsyncClient, *, tenant: str, client: str, secret: Secret, egress: EgressPolicy, authority: str = ""
    ) -> None:
        root = (authority or AUTHORITY).rstrip("/")
        super().__init__(http, url=f"{root}/{quote(tenant, safe='')}/oauth2/v2.0/token", egress=egress)
        self._client, self._secret = client, secret
        self._scope = _SCOPE.format(_CLOUDS.get((urlsplit(root).hostname or "").lower(), "com"))

    async def _form(self) -> Mapping[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self._client,
            "client_secret": self._secret.reveal(),
            "scope": self._scope,
        }

    def _said(self, description: str) -> str:
        return super()._said(_TRACE.sub("", description))
