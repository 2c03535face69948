"""Groq: its windows, its reasoning formats, its own field for usage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.providers.groq import GroqProvider
from tests.fakes.chat import FakeChat
from tests.fakes.script import Answer
from tests.llmconfig.providers.contract import collected
from tests.llmconfig.providers.presets import PresetContract

if TYPE_CHECKING:
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor


class FakeGroq(FakeChat):
    prefix = "/openai/v1"
    default_models = ("openai/gpt-oss-120b", "meta-llama/llama-4-scout-17b-16e-instruct")

    def row(self, name: str) -> dict[str, Any]:
        return {**super().row(name), "active": True, "context_window": 131_072, "max_completion_tokens": 65_536, "public_apps": None}


class TestGroq(PresetContract):
    provider_class = GroqProvider
    fake_class = FakeGroq

    async def test_odd_rows_of_a_list_of_models(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        assert provider._model_info({"id": "one", "context_window": "1"}).context_window is None

    async def test_what_the_list_says(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.models += ["whisper-large-v3", "meta-llama/llama-guard-4-12b"]
        oss, scout = await provider.list_models()
        assert (oss.context_window, oss.max_output_tokens) == (131_072, 65_536)
        assert oss.capabilities == GroqProvider.capabilities_of(oss.id)
        assert (oss.capabilities.thinking, oss.capabilities.inputs) == (True, frozenset())
        assert (scout.capabilities.thinking, scout.capabilities.inputs) == (False, {"image"})
        assert provider._model_info({"id": "gone", "active": False}) is None

    @pytest.mark.parametrize(
        ("model", "options", "asked"),
        [
            ("openai/gpt-oss-20b", {}, {}),
            ("openai/gpt-oss-20b", {"reasoning_effort": "max"}, {"reasoning_effort": "high"}),
            ("qwen/qwen3-32b", {}, {"reasoning_format": "parsed"}),
            ("qwen/qwen3-32b", {"reasoning_effort": "none"}, {"reasoning_format": "parsed", "reasoning_effort": "none"}),
            ("qwen/qwen3-32b", {"reasoning_effort": "medium"}, {"reasoning_format": "parsed", "reasoning_effort": "default"}),
        ],
    )
    async def test_reasoning(
        self, fake: FakeVendor, provider: StreamingProvider, model: str, options: dict[str, Any], asked: dict[str, Any]
    ) -> None:
        fake.models = [model]
        assert await self.reasoning(fake, provider, **options) == asked

    async def test_usage_in_its_own_field(self, fake: FakeVendor, provider: StreamingProvider, monkeypatch: pytest.MonkeyPatch) -> None:
        counts = {"queue_time": 0.02, "prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "x_groq": {"id": "req_1", "usage": counts}}
        first = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}}],"x_groq":{"id":"req_1"}}\n\n'
        monkeypatch.setattr(fake, "frames", lambda *_: iter([first, f"data: {json.dumps(last)}\n\n".encode(), b"data: [DONE]\n\n"]))
        fake.script(Answer(""))
        answer = await collected(provider, self.request(fake))
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (30, 12)
