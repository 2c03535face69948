"""Together AI: a bare array of all that it hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmconfig.llm import ModelInfo
from llmconfig.providers.together import TogetherProvider
from tests.fakes.chat import FakeChat
from tests.fakes.script import Failure
from tests.llmconfig.providers.presets import PresetContract

if TYPE_CHECKING:
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor


class FakeTogether(FakeChat):
    default_models = ("meta-llama/Llama-4-Scout", "openai/gpt-oss-120b")

    def row(self, name: str) -> dict[str, Any]:
        return {**super().row(name), "type": "chat", "display_name": name.partition("/")[2], "context_length": 131_072}

    def page(self, rows: list[Any]) -> Any:
        return rows


class TestTogether(PresetContract):
    provider_class = TogetherProvider
    fake_class = FakeTogether

    async def test_what_the_list_says(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.listing = Failure(
            200, '[{"id": "black-forest-labs/FLUX", "type": "image"}, {"id": "a/b", "type": "chat", "context_length": 9}]'
        )
        assert await provider.list_models() == [ModelInfo("a/b", "", 9)]
