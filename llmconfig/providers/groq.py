"""Groq: open models, few of which see; its list names windows and limits, and its own field counts the tokens.

https://console.groq.com/docs/openai and …/docs/reasoning
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from llmconfig.llm import Capabilities, ModelInfo
from llmconfig.providers.chat import ChatProvider
from llmconfig.providers.form_fields import LIMIT, TEMPERATURE, address_field, effort_field, key_field
from llmconfig.wire.chat_dialect import Dialect
from llmconfig.wire.decoding import count
from llmconfig.wire.openai_chat import ChatWire
from llmconfig.wire.reasoning import effort_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmconfig.llm import ModelRequest
    from llmconfig.providers.codec import Wire

_NOT_CHAT: Final = re.compile(r"whisper|tts|orpheus|guard|safeguard")
_SEES: Final = re.compile(r"llama-4|vision|-vl\b")
_SWITCHED: Final = re.compile(r"qwen")
_REASONS: Final = re.compile(r"gpt-oss|qwen|deepseek-r1|compound")


def _asks(request: ModelRequest) -> Mapping[str, Any]:
    """Left to itself, Qwen thinks aloud within its text; it knows two efforts of its own."""
    if not _SWITCHED.search(request.model):
        return {"reasoning_effort": effort_of(request.reasoning, ("low", "medium", "high"))}
    effort = effort_of(request.reasoning, ("none", "high"))
    return {"reasoning_format": "parsed", "reasoning_effort": "default" if effort == "high" else effort}


class GroqProvider(ChatProvider):
    slug = "groq"
    label = "Groq"
    kind = "gateway"
    codec: ClassVar[Wire] = ChatWire(Dialect(asks=_asks))
    default_base_url = "https://api.groq.com/openai/v1"
    price_list = "groq"
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image"}))
    fields = (key_field("Begins with gsk_. From console.groq.com."), address_field(default_base_url))
    options = (LIMIT, TEMPERATURE, effort_field("none", "low", "medium", "high", help="For models that reason. Only Qwen knows “none”."))

    @classmethod
    def capabilities_of(cls, model: str) -> Capabilities:
        inputs = cls.capabilities.inputs if _SEES.search(model) else frozenset[Any]()
        return replace(cls.capabilities, inputs=inputs, thinking=bool(_REASONS.search(model)))

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo | None:
        name: str = row["id"]
        if _NOT_CHAT.search(name) or row.get("active") is False:
            return None
        return ModelInfo(name, "", count(row.get("context_window")), count(row.get("max_completion_tokens")), self.capabilities_of(name))
