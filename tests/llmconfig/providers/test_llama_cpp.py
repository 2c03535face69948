"""llama.cpp's server: what it tells of its model, and its own words for a context that is full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import ContextTooLong
from llmconfig.providers.llama_cpp import LlamaCppProvider
from tests.fakes.chat import FakeChat
from tests.fakes.script import Failure
from tests.llmconfig.providers.contract import collected, failure_of
from tests.llmconfig.providers.presets import PresetContract

if TYPE_CHECKING:
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor

PROPS = {"default_generation_settings": {"n_ctx": 8192, "params": {}}, "total_slots": 1, "modalities": {"vision": True, "audio": False}}


class FakeLlamaCpp(FakeChat):
    def row(self, name: str) -> dict[str, Any]:
        return {**super().row(name), "owned_by": "llamacpp", "meta": {"vocab_type": 2, "n_ctx_train": 131_072, "n_params": 1}}


class TestLlamaCpp(PresetContract):
    provider_class = LlamaCppProvider
    fake_class = FakeLlamaCpp

    async def test_what_it_tells_of_its_model(self, fake: FakeChat, provider: StreamingProvider) -> None:
        assert [(info.context_window, info.capabilities) for info in await provider.list_models()] == [(131_072, None)] * 2
        fake.models = ["gemma-3"]
        [untold] = await provider.list_models()
        assert (untold.context_window, untold.capabilities) == (131_072, None)
        fake.documents["/props"] = PROPS
        [told] = await provider.list_models()
        assert told.context_window == 8192
        assert told.capabilities is not None
        assert told.capabilities.inputs == {"image"}
        fake.documents["/props"] = {}
        assert await provider.list_models() == [untold]

    async def test_a_context_that_is_full(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        message = "the request exceeds the available context size, try increasing it"
        error = {"code": 400, "message": message, "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 8192}
        fake.script(Failure(400, {"error": error}))
        assert type(await failure_of(collected(provider, self.request(fake)))) is ContextTooLong

    @pytest.mark.parametrize(
        ("options", "asked"),
        [
            ({}, {}),
            ({"reasoning_effort": "none"}, {"chat_template_kwargs": {"enable_thinking": False}}),
            ({"thinking_budget": 2000}, {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "low"}}),
        ],
    )
    async def test_reasoning(self, fake: FakeVendor, provider: StreamingProvider, options: dict[str, Any], asked: dict[str, Any]) -> None:
        assert await self.reasoning(fake, provider, **options) == asked
