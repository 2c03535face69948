"""OpenAI: the Responses API."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote, urlsplit

from llmconfig.llm import Capabilities, CredentialField, ModelInfo, Timeouts
from llmconfig.net import EgressPolicy
from llmconfig.providers.form_fields import REASONING, address_field, key_field, limit_field, temperature_field
from llmconfig.providers.openai_sdk import OpenAISDKProvider
from llmconfig.providers.uploads import LIFETIME_S, MediaLimits, Uploads
from llmconfig.wire import openai_responses
from llmconfig.wire.openai_models import answers_by_schema, reasons

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from llmconfig.llm import Credentials, Media, ModelRequest
    from llmconfig.providers.codec import Wire

LIMITS: Final = MediaLimits(inline_total=24_000_000, each={"image": 50_000_000, "document": 50_000_000})
"""All that is inline may have 50 MB together, and so may one file. Less is sent inline: it goes again with each step."""
_NOT_CHAT: Final = (
    *("audio", "babbage", "dall-e", "davinci", "embedding", "image", "instruct"),
    *("moderation", "realtime", "sora", "transcribe", "tts", "whisper"),
)
"""Parts of names of models that the Responses API does not run; the list itself says nothing of what a model is for."""


_COUNTED: Final = frozenset({"input", "instructions", "model", "parallel_tool_calls", "reasoning", "text", "tool_choice", "tools"})


class OpenAIProvider(OpenAISDKProvider):
    slug = "openai"
    label = "OpenAI"
    wire = "openai_responses"
    codec: ClassVar[Wire] = openai_responses
    answer_path = "/responses"
    models_path = "/models"
    endpoints = ("/responses", "/chat/completions", "/models")
    default_base_url = "https://api.openai.com/v1"
    price_list = "openai"
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image", "document"}))
    fields = (
        key_field("Begins with sk-. From platform.openai.com."),
        address_field(default_base_url, "Change it only for a gateway or a region."),
    )
    options = (
        limit_field("Reasoning counts towards it."),
        *REASONING,
        CredentialField(
            "reasoning_summary",
            "Show summaries of the reasoning",
            type="boolean",
            default=False,
            help="Only with a reasoning effort. OpenAI refuses it for some models until the organization is verified.",
        ),
        CredentialField(
            "prompt_cache_retention",
            "Prompt cache",
            choices=("in_memory", "24h"),
            help="Empty: as OpenAI does by default. Newer models know 24h only.",
        ),
        temperature_field("Reasoning models refuse it."),
    )

    def __init__(self, credentials: Credentials, *, egress: EgressPolicy = EgressPolicy(), timeouts: Timeouts = Timeouts()) -> None:  # noqa: B008  frozen values
        super().__init__(credentials, egress=egress, timeouts=timeouts)
        self._uploads = Uploads(
            self._store,
            lambda name: self._remove(f"/files/{quote(name, safe='')}"),
            limits=LIMITS,
            carries=openai_responses.carries,
            label=self.label,
        )

    async def _store(self, part: Media) -> str:
        purpose = "vision" if part.kind == "image" else "user_data"
        return await self._upload("/files", part, purpose=purpose, expires_after={"anchor": "created_at", "seconds": LIFETIME_S})

    def _connect(self, http: httpx2.AsyncClient) -> Any:
        root = self.base_url if urlsplit(self.base_url).path else f"{self.base_url}/v1"
        return self._client_at(root, self._key.reveal(), http)

    @classmethod
    def capabilities_of(cls, model: str) -> Capabilities:
        return replace(cls.capabilities, thinking=reasons(model), structured_output=answers_by_schema(model))

    async def count_tokens(self, request: ModelRequest) -> int | None:
        return await self._input_tokens(request, f"{self.answer_path}/input_tokens", _COUNTED)

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo | None:
        name: str = row["id"]
        return None if any(part in name for part in _NOT_CHAT) else ModelInfo(name)
