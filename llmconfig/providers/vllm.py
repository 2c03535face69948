"""vLLM: one's own models; it says how much each reads and counts a request before it is sent.

https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from llmconfig.llm import EFFORTS, Capabilities, CredentialField, ModelNotFound
from llmconfig.providers.chat import ChatProvider
from llmconfig.providers.form_fields import LIMIT, TEMPERATURE, address_field, effort_field
from llmconfig.wire.chat_dialect import Dialect
from llmconfig.wire.decoding import count
from llmconfig.wire.openai_chat import ChatWire
from llmconfig.wire.reasoning import effort_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmconfig.llm import ModelRequest
    from llmconfig.providers.codec import Wire


def _asks(request: ModelRequest) -> Mapping[str, Any]:
    """Templates that can think have a switch, which all of them call alike; gpt-oss alone reads the effort."""
    effort = effort_of(request.reasoning, EFFORTS)
    if effort is None:
        return {}
    words = effort_of(request.reasoning, ("low", "medium", "high"))
    return {"chat_template_kwargs": {"enable_thinking": effort != "none"}, "reasoning_effort": None if effort == "none" else words}


class VLLMProvider(ChatProvider):
    slug = "vllm"
    label = "vLLM"
    kind = "self_hosted"
    codec: ClassVar[Wire] = ChatWire(Dialect(asks=_asks))
    default_base_url = "http://127.0.0.1:8000/v1"
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image", "audio"}))
    fields = (
        address_field(default_base_url, "Where the server is, such as http://gpu-1.example.com:8000/v1."),
        CredentialField("api_key", "API key", write_only=True, help="Only where the server was started with --api-key."),
    )
    options = (LIMIT, TEMPERATURE, effort_field("none", "low", "medium", "high", help="For models that think."))

    async def count_tokens(self, request: ModelRequest) -> int | None:
        """By the model's own template and tokenizer; None where the server has that switched off."""
        body = self.codec.encode(self._completed(request), provider=self.slug)
        asked: dict[str, Any] = {name: body[name] for name in ("model", "messages", "tools", "chat_template_kwargs") if name in body}
        try:
            return count((await self._json("POST", self._beside("/tokenize"), asked)).get("count"))
        except ModelNotFound:
            return None
