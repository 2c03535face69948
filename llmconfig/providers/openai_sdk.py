"""OpenAI's SDK for whoever is reached with it: OpenAI, Azure, and all that imitate Chat Completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmconfig.providers.sdk import SDKProvider

if TYPE_CHECKING:
    import httpx2


class OpenAISDKProvider(SDKProvider):
    sdk = "openai"

    def _client_at(self, base_url: str, key: str, http: httpx2.AsyncClient) -> Any:
        """key: never empty, or the SDK looks for one in the environment."""
        client = self._sdk.AsyncOpenAI(
            api_key=key,
            base_url=base_url,
            http_client=http,
            max_retries=0,
            timeout=self._sdk.Timeout(None, connect=self._timeouts.connect),
            admin_api_key="",
            webhook_secret="",
        )
        # OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS are the operator's; no tenant's request may carry them.
        client.organization = client.project = None
        client._custom_headers = {}
        return client
