"""Vendors with an official SDK: it builds, authenticates and sends.

Its objects are not used: decoding the raw stream ourselves costs a tenth of the CPU and leaves unknown fields intact.
"""

from __future__ import annotations

from abc import abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final

from llmconfig import net
from llmconfig.llm import Timeouts
from llmconfig.net import EgressPolicy
from llmconfig.providers.base import StreamingProvider
from llmconfig.providers.bodies import read_document
from llmconfig.wire.decoding import text_of
from llmconfig.wire.encoding import media_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from llmconfig.llm import Credentials, Media

SLOWEST_UPLOAD: Final = 250_000
"""Bytes a second below which an upload has failed."""


class SDKProvider(StreamingProvider):
    """answer_path and models_path are joined as the SDK does it. The SDK is imported on construction."""

    sdk: ClassVar[str]

    def __init__(self, credentials: Credentials, *, egress: EgressPolicy = EgressPolicy(), timeouts: Timeouts = Timeouts()) -> None:  # noqa: B008  frozen values
        super().__init__(credentials, egress=egress, timeouts=timeouts)
        self._sdk: Any = import_module(self.sdk)
        self._client: Any = self._connect(self._http)

    @classmethod
    def preload(cls) -> None:
        net.preload()
        import_module(cls.sdk)

    @abstractmethod
    def _connect(self, http: httpx2.AsyncClient) -> Any:
        """The SDK's async client: key and base URL passed, no retries, nothing taken from the environment."""

    def _call_options(self, body: Mapping[str, Any] | None) -> dict[str, Any]:
        """What the SDK is told with each call besides its body."""
        return {}

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx2.Response:
        response_type = import_module("httpx2").Response
        how = {"options": self._call_options(body), "cast_to": response_type, "stream": True, "stream_cls": self._sdk.AsyncStream[Any]}
        call = self._client.get(path, **how) if method == "GET" else self._client.post(path, body=body, **how)
        response: httpx2.Response = await call
        return response

    async def _upload(self, path: str, part: Media, **fields: Any) -> str:
        """Post the bytes as a form with these fields beside them: the provider's id of the file. Raises a `ProviderError`."""
        patience = self._timeouts.first_token + len(part.data) / SLOWEST_UPLOAD
        answer = await self._guarded(self._posted(path, part, fields), patience)
        name = text_of(answer.get("id")) if isinstance(answer, dict) else ""
        if not name:
            raise self._not_an_api()
        return name

    async def _posted(self, path: str, part: Media, fields: dict[str, Any]) -> object:
        response_type = import_module("httpx2").Response
        named = part.name or f"{part.kind}.{media_type(part).rpartition('/')[2]}"
        return await read_document(
            await self._client.post(
                path,
                body=fields,
                files=[("file", (named, part.data, media_type(part)))],
                options={"headers": {"Content-Type": "multipart/form-data"}},
                cast_to=response_type,
                stream=True,
                stream_cls=self._sdk.AsyncStream[Any],
            )
        )

    async def _remove(self, path: str) -> None:
        """Raises a `ProviderError`."""
        await self._guarded(self._client.delete(path, cast_to=import_module("httpx2").Response), self._timeouts.idle)

    def _refusal(self, error: Exception) -> httpx2.Response | None:
        status_error: type[Exception] = self._sdk.APIStatusError
        return error.response if isinstance(error, status_error) else None  # type: ignore[attr-defined]
