"""xAI: its own list of language models, and reasoning that it counts apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmconfig.llm import ModelInfo
from llmconfig.providers.xai import XAIProvider
from tests.fakes.chat import FakeChat
from tests.fakes.script import Answer, Failure
from tests.llmconfig.providers.contract import collected
from tests.llmconfig.providers.presets import PresetContract

if TYPE_CHECKING:
    import pytest

    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor


class FakeXAI(FakeChat):
    models_at = "/v1/language-models"
    default_models = ("grok-4.5", "grok-code-fast-1")

    def row(self, name: str) -> dict[str, Any]:
        takes = ["text"] if "code" in name else ["text", "image"]
        return {
            **super().row(name),
            "input_modalities": takes,
            "output_modalities": ["text"],
            "aliases": [],
            "prompt_text_token_price": 20000,
        }

    def page(self, rows: list[Any]) -> Any:
        return {"models": rows}


class TestXAI(PresetContract):
    provider_class = XAIProvider
    fake_class = FakeXAI

    async def test_what_the_list_says(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        grok, code = await provider.list_models()
        assert grok.capabilities is not None
        assert code.capabilities is not None
        assert (grok.capabilities.inputs, code.capabilities.inputs) == ({"image"}, frozenset())

    async def test_a_list_as_a_gateway_has_it(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.listing = Failure(200, {"data": [{"id": "grok-4.5", "context_length": 500_000}]})
        assert await provider.list_models() == [ModelInfo("grok-4.5", context_window=500_000)]

    async def test_reasoning_is_counted_apart(self, fake: FakeVendor, provider: StreamingProvider, monkeypatch: pytest.MonkeyPatch) -> None:
        counts = {"prompt_tokens": 30, "completion_tokens": 2, "total_tokens": 132, "completion_tokens_details": {"reasoning_tokens": 100}}
        rows = [{"choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": "stop"}]}, {"choices": [], "usage": counts}]
        monkeypatch.setattr(fake, "frames", lambda *_: iter([f"data: {json.dumps(row)}\n\n".encode() for row in rows]))
        fake.script(Answer(""))
        answer = await collected(provider, self.request(fake))
        assert (answer.usage.output_tokens, answer.usage.reasoning_tokens) == (102, 100)
