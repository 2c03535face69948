"""xAI: a list of its own for language models, which names what each takes and its other names.

https://docs.x.ai/developers/rest-api-reference/inference/models
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmconfig.llm import Capabilities, ModelInfo
from llmconfig.providers.chat import ChatProvider
from llmconfig.providers.form_fields import LIMIT, TEMPERATURE, address_field, effort_field, key_field
from llmconfig.wire.decoding import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class XAIProvider(ChatProvider):
    slug = "xai"
    label = "xAI"
    models_path = "/language-models"
    default_base_url = "https://api.x.ai/v1"
    price_list = "x-ai"
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image"}))
    fields = (key_field("Begins with xai-. From console.x.ai."), address_field(default_base_url))
    options = (LIMIT, TEMPERATURE, effort_field("low", "medium", "high", help="Some models always reason, and refuse it."))

    async def list_models(self) -> Sequence[ModelInfo]:
        page = await self._get_json(self.models_path)
        return self._listed({"data": page.get("models", page.get("data"))})

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo:
        takes = row.get("input_modalities")
        inputs = frozenset[Any]({"image"} if "image" in takes else ()) if isinstance(takes, list) else None
        stated = None if inputs is None else replace(self.capabilities, inputs=inputs)
        return ModelInfo(row["id"], "", count(row.get("context_length")), capabilities=stated)
