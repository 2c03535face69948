"""DeepSeek. Thinking is on unless it is switched off, and must come back with every call that followed from it.

https://api-docs.deepseek.com/guides/thinking_mode
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from llmconfig.llm import EFFORTS, Capabilities
from llmconfig.providers.chat import ChatProvider
from llmconfig.providers.form_fields import LIMIT, TEMPERATURE, address_field, effort_field, key_field
from llmconfig.wire.chat_dialect import Dialect
from llmconfig.wire.openai_chat import ChatWire
from llmconfig.wire.reasoning import effort_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmconfig.llm import ModelRequest
    from llmconfig.providers.codec import Wire


def _asks(request: ModelRequest) -> Mapping[str, Any]:
    """It takes every word of effort, and maps those between its own itself; `none` is a switch."""
    effort = effort_of(request.reasoning, EFFORTS)
    if effort is None:
        return {}
    return {"thinking": {"type": "disabled" if effort == "none" else "enabled"}, "reasoning_effort": None if effort == "none" else effort}


class DeepSeekProvider(ChatProvider):
    slug = "deepseek"
    label = "DeepSeek"
    codec: ClassVar[Wire] = ChatWire(Dialect(asks=_asks, echo="reasoning_content"))
    default_base_url = "https://api.deepseek.com"
    price_list = "deepseek"
    capabilities = Capabilities(thinking=True)
    fields = (key_field("Begins with sk-. From platform.deepseek.com."), address_field(default_base_url))
    options = (LIMIT, TEMPERATURE, effort_field("none", "low", "high", "max"))
