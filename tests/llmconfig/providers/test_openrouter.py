"""OpenRouter: what its list says, its reasoning object, details that go back, and what the vendor behind it said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import AuthenticationFailed, ContextTooLong, InvalidRequest, Message, Overloaded, ProviderData, Text, Thinking
from llmconfig.providers.openrouter import OpenRouterProvider
from tests.fakes.chat import FakeChat
from tests.fakes.script import Answer, Failure
from tests.llmconfig.providers.contract import collected, failure_of
from tests.llmconfig.providers.presets import PresetContract

if TYPE_CHECKING:
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor


class FakeOpenRouter(FakeChat):
    prefix = "/api/v1"
    default_models = ("anthropic/claude-sonnet-5", "meta/llama-4-text")

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.documents["/api/v1/key"] = {"data": {"label": "sk-or-v1-…", "usage": 0, "limit": None, "is_free_tier": False}}

    def row(self, name: str) -> dict[str, Any]:
        full = name.startswith("anthropic")
        shape = {
            "modality": "text->text",
            "input_modalities": ["text", *(["image", "file"] if full else [])],
            "output_modalities": ["text"],
        }
        return {
            **super().row(name),
            "name": f"Model {name}",
            "context_length": 200_000,
            "architecture": shape,
            "top_provider": {"context_length": 200_000, "max_completion_tokens": 64_000, "is_moderated": True},
            "supported_parameters": ["max_tokens", *(["tools", "reasoning", "structured_outputs"] if full else [])],
        }


class TestOpenRouter(PresetContract):
    provider_class = OpenRouterProvider
    fake_class = FakeOpenRouter

    async def test_what_the_list_says(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        claude, llama = await provider.list_models()
        assert (claude.label, claude.context_window, claude.max_output_tokens) == ("Model anthropic/claude-sonnet-5", 200_000, 64_000)
        assert claude.capabilities is not None
        assert llama.capabilities is not None
        assert claude.capabilities.inputs == {"image", "document"}
        assert (claude.capabilities.tools, claude.capabilities.thinking, claude.capabilities.structured_output) == (True, True, True)
        assert (llama.capabilities.tools, llama.capabilities.thinking, llama.capabilities.inputs) == (False, False, frozenset())
        painter = {"id": "x/paints", "architecture": {"output_modalities": ["image"]}}
        fake.listing = Failure(200, {"data": [painter, {"id": "x/bare", "architecture": {"input_modalities": ["text", 5]}}]})
        [bare] = await provider.list_models()
        assert bare.capabilities is not None
        assert bare.capabilities.inputs == frozenset()

    async def test_the_list_is_public_so_that_the_key_is_asked_about_itself(
        self, fake: FakeVendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def public(_: Any) -> None:
            return None

        monkeypatch.setattr(fake, "listed", public)
        provider = self.build(fake, key="wrong-key-0123456789")
        assert type(await failure_of(provider.check())) is AuthenticationFailed
        await provider.aclose()

    async def test_a_variant_of_a_model_is_in_no_list(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        *_, variant = await provider.check("anthropic/claude-sonnet-5:nitro")
        assert (variant.id, variant.context_window) == ("anthropic/claude-sonnet-5:nitro", 200_000)

    @pytest.mark.parametrize(
        ("options", "asked"),
        [
            ({}, {}),
            ({"reasoning_effort": "xhigh"}, {"reasoning": {"effort": "xhigh"}}),
            ({"thinking_budget": 2000}, {"reasoning": {"max_tokens": 2000}}),
            ({"thinking_budget": 0}, {"reasoning": {"effort": "none"}}),
        ],
    )
    async def test_reasoning(self, fake: FakeVendor, provider: StreamingProvider, options: dict[str, Any], asked: dict[str, Any]) -> None:
        assert await self.reasoning(fake, provider, **options) == asked

    async def test_details_go_back(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        details = [{"type": "reasoning.text", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0}]
        thought = Thinking("hm", ProviderData("openrouter", fake.models[0], {"reasoning_details": details}))
        asked = Message("user", (Text("Hi"),))
        body = await self.sent(fake, provider, asked, Message("assistant", (thought, Text("Hello"))), asked)
        assert body["messages"][1] == {"role": "assistant", "content": "Hello", "reasoning_details": details}

    async def test_it_says_that_it_works_in_comments(
        self, fake: FakeVendor, provider: StreamingProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        frames = fake.frames
        waiting = [b": OPENROUTER PROCESSING\n\n"] * 3
        monkeypatch.setattr(fake, "frames", lambda *given: iter([*waiting, *frames(*given)]))
        fake.script(Answer("Hello"))
        assert (await collected(provider, self.request(fake))).message().text == "Hello"

    async def test_what_the_vendor_behind_it_said(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        raw = '{"error":{"message":"This model\'s maximum context length is 8192 tokens.","code":"context_length_exceeded"}}'
        error = {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw, "provider_name": "Azure"}}
        fake.script(Failure(400, {"error": error}), Failure(400, {"error": {**error, "metadata": {"raw": "Tool ids must be short"}}}))
        behind = await failure_of(collected(provider, self.request(fake)))
        assert type(behind) is ContextTooLong
        assert "maximum context length is 8192" in behind.detail
        plain = await failure_of(collected(provider, self.request(fake)))
        assert type(plain) is InvalidRequest
        assert "Provider returned error: Tool ids must be short" in plain.detail

    async def test_a_vendor_that_goes_away_within_the_stream(
        self, fake: FakeVendor, provider: StreamingProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chunk = (
            b'data: {"id":"gen-1","provider":"x","error":{"code":502,"message":"Provider disconnected"},'
            b'"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}\n\n'
        )
        monkeypatch.setattr(fake, "frames", lambda *_: iter([chunk]))
        fake.script(Answer(""))
        assert type(await failure_of(collected(provider, self.request(fake)))) is Overloaded
