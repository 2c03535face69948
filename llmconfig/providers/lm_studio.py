"""LM Studio: models of one's own desktop; its native list says which of them see and how much they read.

https://lmstudio.ai/docs/developer/rest/endpoints and …/docs/developer/openai-compat
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmconfig.llm import Capabilities, CredentialField, ModelInfo, ModelNotFound
from llmconfig.providers.chat import ChatProvider
from llmconfig.providers.form_fields import LIMIT, TEMPERATURE, address_field, effort_field
from llmconfig.wire.decoding import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class LMStudioProvider(ChatProvider):
    slug = "lm_studio"
    label = "LM Studio"
    kind = "self_hosted"
    default_base_url = "http://127.0.0.1:1234/v1"
    endpoints = ("/chat/completions", "/api/v0", "/api/v1")  # the latter are of its native API
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image"}))
    fields = (
        address_field(default_base_url, "Where its server is; start it under Developer."),
        CredentialField("api_key", "API token", write_only=True, help="Only where the server requires authentication."),
    )
    options = (LIMIT, TEMPERATURE, effort_field("low", "medium", "high", help="For models that know it."))

    async def list_models(self) -> Sequence[ModelInfo]:
        """The native list, which versions before 0.3.6 lack."""
        try:
            return self._listed(await self._get_json(self._beside("/api/v0/models")))
        except ModelNotFound:
            return await super().list_models()

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo | None:
        """A loaded model reads what it was loaded with."""
        kind = row.get("type")
        if kind not in (None, "llm", "vlm"):
            return None
        window = count(row.get("loaded_context_length")) or count(row.get("max_context_length"))
        inputs = self.capabilities.inputs if kind == "vlm" else frozenset[Any]()
        return ModelInfo(row["id"], "", window, capabilities=replace(self.capabilities, inputs=inputs) if kind else None)
