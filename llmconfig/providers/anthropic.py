"""Anthropic: the Messages API."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote

from llmconfig.llm import Capabilities, CredentialField, ModelInfo, Timeouts
from llmconfig.net import EgressPolicy
from llmconfig.providers.form_fields import REASONING, address_field, key_field, limit_field
from llmconfig.providers.sdk import SDKProvider
from llmconfig.providers.uploads import LIFETIME_S, MediaLimits, Uploads
from llmconfig.wire import anthropic_messages
from llmconfig.wire.answer_schema import closed
from llmconfig.wire.claude_models import claude
from llmconfig.wire.decoding import count, optional_object, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from llmconfig.llm import Credentials, JSONObject, MediaKind, ModelRequest
    from llmconfig.providers.codec import Wire

LIMITS: Final = MediaLimits(inline_total=24_000_000, each={"image": 10_000_000, "document": 500_000_000})
"""A request may have 32 MB, text and tools included; an image 10 MB; a stored file 500 MB."""


_COUNTED: Final = frozenset({"cache_control", "messages", "model", "output_config", "system", "thinking", "tool_choice", "tools"})


_BINDING: Final = "thinking-binding-controls-2026-08-01"
"""The beta without which `thinking.block_binding` is refused."""


class AnthropicProvider(SDKProvider):
    slug = "anthropic"
    label = "Anthropic"
    wire = "anthropic_messages"
    codec: ClassVar[Wire] = anthropic_messages
    sdk = "anthropic"
    answer_path = "/v1/messages"
    models_path = "/v1/models"
    endpoints = ("/v1/messages", "/v1/models", "/v1")  # the SDK adds the last
    default_base_url = "https://api.anthropic.com"
    price_list = "anthropic"
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image", "document"}))
    fields = (
        key_field("Begins with sk-ant-. From platform.claude.com."),
        address_field(default_base_url),
    )
    options = (
        limit_field("Thinking counts towards it."),
        *REASONING,
        CredentialField(
            "cache_ttl",
            "Prompt cache",
            choices=("5m", "1h"),
            default="5m",
            help="How long what was read stays cached. Writing it costs a quarter more than reading anew for 5m, twice as much for 1h.",
        ),
    )

    def __init__(self, credentials: Credentials, *, egress: EgressPolicy = EgressPolicy(), timeouts: Timeouts = Timeouts()) -> None:  # noqa: B008  frozen values
        super().__init__(credentials, egress=egress, timeouts=timeouts)
        self._uploads = Uploads(
            lambda part: self._upload("/v1/files", part, expires_in_seconds=str(LIFETIME_S)),
            lambda name: self._remove(f"/v1/files/{quote(name, safe='')}"),
            limits=LIMITS,
            carries=anthropic_messages.carries,
            label=self.label,
        )

    def _connect(self, http: httpx2.AsyncClient) -> Any:
        client = self._sdk.AsyncAnthropic(
            api_key=self._key.reveal(),
            base_url=self.base_url,
            http_client=http,
            max_retries=0,
            timeout=self._sdk.Timeout(None, connect=self._timeouts.connect),
            open_telemetry=False,
        )
        # ANTHROPIC_CUSTOM_HEADERS is the operator's; a tenant's request must not carry it to a tenant's base URL.
        client._custom_headers = {}
        return client

    def _call_options(self, body: Mapping[str, Any] | None) -> dict[str, Any]:
        binds = "block_binding" in optional_object((body or {}).get("thinking"))
        return {"headers": {"anthropic-beta": _BINDING}} if binds else {}

    async def list_models(self) -> list[ModelInfo]:
        found: list[ModelInfo] = []
        after = ""
        while True:
            page = await self._get_json(f"{self.models_path}?limit=1000{after}")
            found += self._listed(page)
            last = f"&after_id={quote(text_of(page.get('last_id')))}"
            if not page.get("has_more") or last in ("&after_id=", after):
                return found
            after = last

    @classmethod
    def capabilities_of(cls, model: str) -> Capabilities:
        known = claude(model)
        return replace(cls.capabilities, thinking=known.thinks, structured_output=known.schemas)

    def _answers_by(self, schema: JSONObject, request: ModelRequest) -> bool:
        return super()._answers_by(schema, request) and closed(schema) is not None

    async def count_tokens(self, request: ModelRequest) -> int | None:
        return await self._input_tokens(request, f"{self.answer_path}/count_tokens", _COUNTED)

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo:
        window, longest = count(row.get("max_input_tokens")), count(row.get("max_tokens"))
        return ModelInfo(row["id"], text_of(row.get("display_name")), window, longest, self._listed_capabilities(row))

    def _listed_capabilities(self, row: Mapping[str, Any]) -> Capabilities | None:
        """What the list says a model supports; None where it says nothing, as gateways do."""
        said = optional_object(row.get("capabilities"))
        if not said:
            return None

        def supports(name: str, otherwise: bool) -> bool:
            value = optional_object(said.get(name)).get("supported")
            return value if isinstance(value, bool) else otherwise

        known = self.capabilities_of(row["id"])
        kinds: tuple[tuple[MediaKind, str], ...] = (("image", "image_input"), ("document", "pdf_input"))
        return replace(
            known,
            thinking=supports("thinking", known.thinking),
            structured_output=supports("structured_outputs", known.structured_output),
            inputs=frozenset(kind for kind, name in kinds if supports(name, kind in known.inputs)),
        )
