"""Mistral: strict about fields that it does not know, about call ids and about who speaks after a tool; its list says what models can do.

https://docs.mistral.ai/api
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from llmconfig.llm import Capabilities, CredentialField, ModelInfo
from llmconfig.providers.chat import ChatProvider
from llmconfig.providers.form_fields import LIMIT, TEMPERATURE, address_field, effort_field, key_field
from llmconfig.wire.chat_dialect import Dialect
from llmconfig.wire.decoding import count, optional_object, text_of
from llmconfig.wire.openai_chat import ChatWire
from llmconfig.wire.reasoning import effort_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmconfig.llm import ModelRequest
    from llmconfig.providers.codec import Wire


def _asks(request: ModelRequest) -> Mapping[str, Any]:
    """`stream_options` is refused, and usage comes without it (openai-agents-python#442). Models reason, or do not."""
    seed = request.options.get("random_seed")
    effort = effort_of(request.reasoning, ("none", "high"))
    return {"stream_options": None, "random_seed": seed, "reasoning_effort": effort}


class MistralProvider(ChatProvider):
    slug = "mistral"
    label = "Mistral"
    codec: ClassVar[Wire] = ChatWire(Dialect(asks=_asks, mistral=True))
    default_base_url = "https://api.mistral.ai/v1"
    price_list = "mistral"
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image"}))
    fields = (key_field("From console.mistral.ai."), address_field(default_base_url))
    options = (
        LIMIT,
        TEMPERATURE,
        effort_field("none", "high", help="For models whose reasoning can be switched. Empty: the model's own default."),
        CredentialField("random_seed", "Random seed", type="integer", minimum=0, help="The same seed gives nearly the same answer."),
    )

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo | None:
        """https://github.com/mistralai/client-python/blob/main/docs/models/basemodelcard.md"""
        can = optional_object(row.get("capabilities"))
        if can.get("completion_chat") is False:
            return None
        known = {
            "tools": can.get("function_calling"),
            "thinking": can.get("reasoning"),
            "inputs": ["image"] if can.get("vision") else [],
        }
        stated = Capabilities.from_dict(known, beneath=self.capabilities) if can else None
        return ModelInfo(row["id"], text_of(row.get("name")), count(row.get("max_context_length")), capabilities=stated)
