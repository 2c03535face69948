"""Together AI: open models; its list is a bare array of everything that it hosts.

https://docs.together.ai/reference/models
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmconfig.llm import Capabilities, ModelInfo
from llmconfig.providers.chat import ChatProvider
from llmconfig.providers.form_fields import LIMIT, TEMPERATURE, address_field, effort_field, key_field
from llmconfig.wire.decoding import count, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class TogetherProvider(ChatProvider):
    slug = "together"
    label = "Together AI"
    kind = "gateway"
    default_base_url = "https://api.together.xyz/v1"
    price_list = "together"
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image"}))
    fields = (key_field("From api.together.ai/settings/api-keys."), address_field(default_base_url))
    options = (LIMIT, TEMPERATURE, effort_field("low", "medium", "high", help="For models that know it."))

    async def list_models(self) -> Sequence[ModelInfo]:
        found = await self._guarded(self._fetched("GET", self.models_path, None), self._timeouts.idle)
        return self._listed(found if isinstance(found, dict) else {"data": found})

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo | None:
        if row.get("type") not in (None, "chat"):
            return None
        return ModelInfo(row["id"], text_of(row.get("display_name")), count(row.get("context_length")))
