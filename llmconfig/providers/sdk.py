"""Vendors with an official SDK: it builds, authenticates and sends.

Its objects are not used: decoding the raw stream ourselves costs a tenth of the CPU and leaves unknown fields intact.
"""

from __future__ import annotations

from abc import abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from llmconfig.llm import Timeouts
from llmconfig.net import EgressPolicy
from llmconfig.providers.base import StreamingProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from llmconfig.llm import Credentials


class SDKProvider(StreamingProvider):
    """answer_path and models_path are joined as the SDK does it. The SDK is imported on construction."""

    sdk: ClassVar[str]

    def __init__(self, credentials: Credentials, *, egress: EgressPolicy = EgressPolicy(), timeouts: Timeouts = Timeouts()) -> None:  # noqa: B008  frozen values
        super().__init__(credentials, egress=egress, timeouts=timeouts)
        self._sdk: Any = import_module(self.sdk)
        self._client: Any = self._connect(self._http)

    @classmethod
    def preload(cls) -> None:
        import_module(cls.sdk)

    @abstractmethod
    def _connect(self, http: httpx2.AsyncClient) -> Any:
        """The SDK's async client: key and base URL passed, no retries, nothing taken from the environment."""

    def _call_options(self) -> dict[str, Any]:
        """What the SDK is told with each call besides its body."""
        return {}

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx2.Response:
        response_type = import_module("httpx2").Response
        how = {"options": self._call_options(), "cast_to": response_type, "stream": True, "stream_cls": self._sdk.AsyncStream[Any]}
        call = self._client.get(path, **how) if method == "GET" else self._client.post(path, body=body, **how)
        response: httpx2.Response = await call
        return response

    def _refusal(self, error: Exception) -> httpx2.Response | None:
        status_error: type[Exception] = self._sdk.APIStatusError
        return error.response if isinstance(error, status_error) else None  # type: ignore[attr-defined]
