"""llama.cpp's server: one model, of which it tells elsewhere what it sees and how much it reads.

https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from llmconfig.llm import EFFORTS, Capabilities, CredentialField, ModelInfo, ProviderError
from llmconfig.providers.chat import ChatProvider
from llmconfig.providers.form_fields import LIMIT, TEMPERATURE, address_field, effort_field
from llmconfig.wire.chat_dialect import Dialect
from llmconfig.wire.decoding import count, optional_object
from llmconfig.wire.openai_chat import ChatWire
from llmconfig.wire.reasoning import effort_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmconfig.llm import ModelRequest
    from llmconfig.providers.codec import Wire


def _asks(request: ModelRequest) -> Mapping[str, Any]:
    """Both are the template's to read; the server itself knows no effort."""
    effort = effort_of(request.reasoning, EFFORTS)
    if effort is None:
        return {}
    words = {} if effort == "none" else {"reasoning_effort": effort_of(request.reasoning, ("low", "medium", "high"))}
    return {"chat_template_kwargs": {"enable_thinking": effort != "none", **words}, "reasoning_effort": None}


class LlamaCppProvider(ChatProvider):
    slug = "llama_cpp"
    label = "llama.cpp"
    kind = "self_hosted"
    codec: ClassVar[Wire] = ChatWire(Dialect(asks=_asks))
    default_base_url = "http://127.0.0.1:8080/v1"
    capabilities = Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image", "audio"}))
    fields = (
        address_field(default_base_url, "Where llama-server is, such as http://box-1.example.com:8080/v1."),
        CredentialField("api_key", "API key", write_only=True, help="Only where the server was started with --api-key."),
    )
    options = (LIMIT, TEMPERATURE, effort_field("none", "low", "medium", "high", help="For models whose template knows it."))

    async def list_models(self) -> Sequence[ModelInfo]:
        """With what /props says of the one model that is loaded; a server that routes to several says it of none."""
        listed = await super().list_models()
        if len(listed) != 1:
            return listed
        try:
            props = await self._get_json(self._beside("/props"))
        except ProviderError:
            return listed
        window = count(optional_object(props.get("default_generation_settings")).get("n_ctx"))
        senses = optional_object(props.get("modalities"))
        inputs = frozenset[Any](kind for kind, sense in (("image", "vision"), ("audio", "audio")) if senses.get(sense) is True)
        stated = replace(self.capabilities, inputs=inputs) if senses else None
        return [replace(listed[0], context_window=window or listed[0].context_window, capabilities=stated)]

    def _model_info(self, row: Mapping[str, Any]) -> ModelInfo:
        return ModelInfo(row["id"], "", count(optional_object(row.get("meta")).get("n_ctx_train")))
