"""Any server that speaks Chat Completions: LiteLLM, a company's own gateway, whatever has no file of its own here."""

from __future__ import annotations

from llmconfig.llm import CredentialField
from llmconfig.providers.chat import ChatProvider


class OpenAICompatibleProvider(ChatProvider):
    slug = "openai_compatible"
    label = "OpenAI-compatible server"
    kind = "self_hosted"
    fields = (
        CredentialField(
            "base_url", "Base URL", type="url", required=True, help="Where /chat/completions lies, such as https://llm.example.com/v1."
        ),
        CredentialField("api_key", "API key", write_only=True, help="Leave empty where the server asks for none."),
    )
