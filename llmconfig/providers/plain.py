"""Vendors without an SDK worth its weight: our own small client sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmconfig import net
from llmconfig.providers.base import StreamingProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2


class Refused(Exception):
    """An answer with a status of 300 or more, its body read. Carries the request, and so the key: never raised out of a provider."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class PlainProvider(StreamingProvider):
    """answer_path and models_path are appended to the base URL."""

    @classmethod
    def preload(cls) -> None:
        net.preload()

    async def _headers(self) -> Mapping[str, str]:
        """What goes with each request: the key, in the vendor's header, or a token that is fetched. Raises `ProviderError`."""
        return {}

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx2.Response:
        headers = await self._headers()
        return await self._answered(self._http.build_request(method, f"{self.base_url}{path}", json=body, headers=headers))

    async def _answered(self, request: httpx2.Request) -> httpx2.Response:
        """As `_request`, for a request of another shape."""
        response = await self._http.send(request, stream=True)
        if response.status_code >= 300:
            try:
                await response.aread()
            finally:
                await response.aclose()
            raise Refused(response)
        return response

    def _refusal(self, error: Exception) -> httpx2.Response | None:
        return error.response if isinstance(error, Refused) else None
