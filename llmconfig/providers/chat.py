"""What the servers that imitate OpenAI's Chat Completions share: OpenAI's SDK, a key that may be missing, a list that may be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit, urlunsplit

from llmconfig.llm import Capabilities, CredentialField, InvalidRequest, ModelInfo, ProviderError
from llmconfig.providers.form_fields import LIMIT, REASONING, TEMPERATURE
from llmconfig.providers.openai_sdk import OpenAISDKProvider
from llmconfig.wire import openai_chat
from llmconfig.wire.decoding import count, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx2

    from llmconfig.providers.codec import Wire

_NO_LIST: Final = frozenset({404, 405, 501})
_KEYLESS: Final = "none"
"""The SDK insists on a key; where there is none, its header is left out."""


class ChatProvider(OpenAISDKProvider):
    """A vendor of this kind states its facts: slug, label, base URL, fields, options, capabilities, and its dialect as `codec`.

    A base URL without a path, or with the beginning of it, gets that of the vendor's own.
    """

    wire = "openai_chat"
    codec: ClassVar[Wire] = openai_chat
    answer_path = "/chat/completions"
    models_path = "/models"
    endpoints: ClassVar[Sequence[str]] = ("/chat/completions",)
    capabilities = Capabilities(inputs=frozenset({"image"}))
    options: ClassVar[Sequence[CredentialField]] = (LIMIT, TEMPERATURE, *REASONING)

    def _connect(self, http: httpx2.AsyncClient) -> Any:
        return self._client_at(self._api, self._key.reveal() or _KEYLESS, http)

    @property
    def _api(self) -> str:
        own, parts = urlsplit(self.default_base_url).path, urlsplit(self.base_url)
        return urlunsplit((*parts[:2], own, "", "")) if own.startswith(f"{parts.path}/") else self.base_url

    def _beside(self, path: str) -> str:
        """The URL of what a server offers beside its imitation of OpenAI's API, which lies under /v1."""
        parts = urlsplit(self._api)
        return urlunsplit((parts.scheme, parts.netloc, f"{parts.path.removesuffix('/v1')}{path}", "", ""))

    def _call_options(self, body: Mapping[str, Any] | None) -> dict[str, Any]:
        return {} if self._key else {"headers": {"Authorization": self._sdk.Omit()}}

    async def check(self, model: str = "") -> Sequence[ModelInfo]:
        """Many servers list no models: the named one is then asked for a word."""
        try:
            listed = await self.list_models()
        except ProviderError as error:
            if error.status not in _NO_LIST:
                raise
        else:
            return await self._including(model, listed)
        if not model:
            detail = f"{self._host} has no list of models at this base URL, which often ends in /v1."
            raise InvalidRequest(detail, advice="Name a model to test it.")
        return [await self._try_out(model)]

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo | None:
        window = row.get("max_model_len") or row.get("context_length")  # vLLM; OpenRouter
        return ModelInfo(row["id"], text_of(row.get("name")), count(window))
