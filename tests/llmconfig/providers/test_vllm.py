"""vLLM: without a key, the switch of thinking in the template, and requests counted before they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import Credentials, ModelInfo
from llmconfig.net import EgressPolicy
from llmconfig.providers.vllm import VLLMProvider
from tests.fakes.script import Failure
from tests.llmconfig.providers.contract import collected
from tests.llmconfig.providers.presets import PresetContract

if TYPE_CHECKING:
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.chat import FakeChat
    from tests.fakes.server import FakeVendor


class TestVLLM(PresetContract):
    provider_class = VLLMProvider

    async def test_without_a_key_and_without_a_path(self, fake: FakeVendor) -> None:
        provider = VLLMProvider(Credentials(f"http://{fake.host}"), egress=EgressPolicy(frozenset({fake.host})))
        await collected(provider, self.request(fake))
        await provider.aclose()
        assert "Authorization" not in fake.calls[0].headers
        assert fake.calls[0].path == "/v1/chat/completions"

    async def test_what_the_list_says(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.listing = Failure(200, {"data": [{"id": "Qwen/Qwen3-32B", "max_model_len": 40_960, "owned_by": "vllm"}]})
        assert await provider.list_models() == [ModelInfo("Qwen/Qwen3-32B", "", 40_960)]

    @pytest.mark.parametrize(
        ("options", "asked"),
        [
            ({}, {}),
            ({"reasoning_effort": "none"}, {"chat_template_kwargs": {"enable_thinking": False}}),
            ({"reasoning_effort": "max"}, {"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "high"}),
        ],
    )
    async def test_reasoning(self, fake: FakeVendor, provider: StreamingProvider, options: dict[str, Any], asked: dict[str, Any]) -> None:
        assert await self.reasoning(fake, provider, **options) == asked

    async def test_a_request_is_counted(self, fake: FakeChat, provider: StreamingProvider) -> None:
        assert await provider.count_tokens(self.request(fake)) is None
        fake.documents["/tokenize"] = {"count": 12, "max_model_len": 4096, "tokens": [1, 2]}
        assert await provider.count_tokens(self.request(fake)) == 12
        assert fake.requests[-1].body == {"model": "model-a", "messages": [{"role": "user", "content": "Hi"}]}
