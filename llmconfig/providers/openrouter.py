"""OpenRouter: every vendor's models behind one key; its list says what each can do, and thinking goes back as it came.

https://openrouter.ai/docs/api-reference/overview and …/docs/use-cases/reasoning-tokens
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from llmconfig.llm import Capabilities, ModelInfo
from llmconfig.providers.chat import ChatProvider
from llmconfig.providers.form_fields import LIMIT, TEMPERATURE, address_field, effort_field, key_field
from llmconfig.wire.chat_dialect import Dialect
from llmconfig.wire.decoding import count, optional_object, text_of
from llmconfig.wire.openai_chat import ChatWire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmconfig.llm import ModelRequest
    from llmconfig.providers.codec import Wire

_KINDS: Final = {"image": "image", "file": "document", "audio": "audio", "video": "video"}


def _asks(request: ModelRequest) -> Mapping[str, Any]:
    """One object for every vendor's way to reason: an effort or a budget, not both."""
    wanted = request.reasoning
    if wanted is None:
        return {}
    if wanted.budget_tokens is not None:
        asked: dict[str, Any] = {"max_tokens": wanted.budget_tokens} if wanted.budget_tokens else {"effort": "none"}
    else:
        asked = {"effort": wanted.effort}
    return {"reasoning": asked, "reasoning_effort": None}


class OpenRouterProvider(ChatProvider):
    slug = "openrouter"
    label = "OpenRouter"
    kind = "gateway"
    codec: ClassVar[Wire] = ChatWire(Dialect(asks=_asks, echo="reasoning_details"))
    default_base_url = "https://openrouter.ai/api/v1"
    price_list = "openrouter"
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image", "document", "audio"}))
    fields = (key_field("Begins with sk-or-. From openrouter.ai/settings/keys."), address_field(default_base_url))
    options = (LIMIT, TEMPERATURE, effort_field("none", "minimal", "low", "medium", "high", "xhigh"))

    async def check(self, model: str = "") -> Sequence[ModelInfo]:
        """The list is public, so that it proves no key."""
        await self._get_json("/key")
        return await super().check(model)

    async def _including(self, model: str, listed: Sequence[ModelInfo]) -> Sequence[ModelInfo]:
        """A variant such as `:nitro` stands in no list."""
        base = next((info for info in listed if info.id == model.partition(":")[0]), None)
        if base is None or model == base.id or any(info.id == model for info in listed):
            return await super()._including(model, listed)
        return [*listed, ModelInfo(model, "", base.context_window, base.max_output_tokens, base.capabilities)]

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo | None:
        shape = optional_object(row.get("architecture"))
        gives = shape.get("output_modalities")
        if isinstance(gives, list) and "text" not in gives:
            return None
        limit = count(optional_object(row.get("top_provider")).get("max_completion_tokens"))
        return ModelInfo(row["id"], text_of(row.get("name")), count(row.get("context_length")), limit, self._stated(row, shape))

    def _stated(self, row: Mapping[str, Any], shape: Mapping[str, Any]) -> Capabilities | None:
        takes, knows = shape.get("input_modalities"), row.get("supported_parameters")
        said: dict[str, Any] = {}
        if isinstance(takes, list):
            said["inputs"] = [_KINDS[kind] for kind in takes if isinstance(kind, str) and kind in _KINDS]
        if isinstance(knows, list):
            said |= {"tools": "tools" in knows, "thinking": "reasoning" in knows, "structured_output": "structured_outputs" in knows}
        return Capabilities.from_dict(said, beneath=self.capabilities) if said else None
