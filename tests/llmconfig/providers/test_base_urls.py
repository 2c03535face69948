"""A base URL as people paste it: with and without a slash, a version, or the whole address of an endpoint from the vendor's pages."""

from __future__ import annotations

from functools import partial

import httpx2
import pytest

from llmconfig import net
from llmconfig.llm import Credentials, ProviderError, Secret
from llmconfig.registry import provider_class
from tests.llmconfig.providers.contract import KEY
from tests.llmconfig.wire.streams import request

ROOTS = ("", "/", "/v1", "/v1/")
CHAT = "/v1/chat/completions"
PASTED = {
    "anthropic": {"/v1/messages": (*ROOTS, "/v1/messages", "/v1/messages/"), "/team/v1/messages": ("/team", "/team/v1/messages")},
    "openai": {"/v1/responses": (*ROOTS, "/v1/responses", CHAT, "/v1/models"), "/team/responses": ("/team/",)},
    "openai_compatible": {CHAT: ("/v1", "/v1/", CHAT, f"{CHAT}/", "/v1?x=1"), "/chat/completions": ("", "/chat/completions")},
    "gemini": {
        "/v1beta/models/m:streamGenerateContent?alt=sse": (
            *ROOTS,
            *("/v1beta/", "/v1alpha", "/v1beta/models", "/v1beta/openai/", "/v1beta/models/m:streamGenerateContent?alt=sse"),
        ),
        "/v1/a/gw/google/v1beta/models/m:streamGenerateContent?alt=sse": ("/v1/a/gw/google", "/v1/a/gw/google/v1beta/models"),
    },
    "ollama": {
        "/api/chat": (*ROOTS, "/api", "/api/", "/api/chat", "/api/generate", "/api/tags", CHAT),
        "/chat/api/chat": ("/chat", "/chat/api/chat"),
    },
    "deepseek": {"/chat/completions": ("", "/", "/chat/completions"), CHAT: ("/v1", CHAT)},
    "groq": {"/openai/v1/chat/completions": ("", "/openai", "/openai/", "/openai/v1", "/openai/v1/chat/completions")},
    "openrouter": {"/api/v1/chat/completions": ("", "/api", "/api/", "/api/v1/", "/api/v1/chat/completions")},
    "lm_studio": {CHAT: (*ROOTS, CHAT, "/api/v0", "/api/v0/chat/completions")},
    **{slug: {CHAT: (*ROOTS, CHAT)} for slug in ("mistral", "together", "xai", "vllm", "llama_cpp")},
}


EACH = [(slug, pasted, asked) for slug, expected in PASTED.items() for asked, spellings in expected.items() for pasted in spellings]


@pytest.mark.parametrize(("slug", "pasted", "asked"), EACH)
async def test_where_an_answer_is_asked_for(monkeypatch: pytest.MonkeyPatch, slug: str, pasted: str, asked: str) -> None:
    seen: list[str] = []

    def answer(sent: httpx2.Request) -> httpx2.Response:
        seen.append(str(sent.url))
        return httpx2.Response(404)

    monkeypatch.setattr(net, "build_client", partial(net.build_client, transport=httpx2.MockTransport(answer)))
    provider = provider_class(slug)(Credentials(f"https://llm.example.com{pasted}", {"api_key": Secret(KEY)}))  # type: ignore[call-arg]
    with pytest.raises(ProviderError):
        await anext(provider.stream(request(model="m")))
    assert seen[-1] == f"https://llm.example.com{asked}"
    await provider.aclose()
