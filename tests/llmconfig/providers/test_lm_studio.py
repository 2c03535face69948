"""LM Studio: its native list, and the imitated one of older versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from llmconfig.llm import ModelInfo
from llmconfig.providers.lm_studio import LMStudioProvider
from tests.fakes.chat import FakeChat
from tests.fakes.script import Failure
from tests.llmconfig.providers.presets import PresetContract

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmconfig.providers.base import StreamingProvider


COMMON = {"object": "model", "publisher": "x", "quantization": "4bit", "max_context_length": 131_072}
ROWS = [
    {"id": "qwen3-vl", "type": "vlm", "state": "loaded", "loaded_context_length": 8192, **COMMON},
    {"id": "gpt-oss-20b", "type": "llm", "state": "not-loaded", "capabilities": ["tool_use"], **COMMON},
    {"id": "text-embedding-nomic", "type": "embeddings", "state": "not-loaded", **COMMON},
]


class FakeLMStudio(FakeChat):
    is_old = False

    def routes(self) -> Iterable[web.RouteDef]:
        return (web.get("/api/v0/models", self.native), *super().routes())

    async def native(self, request: web.Request) -> web.StreamResponse:
        return await (self.document(request) if self.is_old else self.list_models(request))


class TestLMStudio(PresetContract):
    provider_class = LMStudioProvider
    fake_class = FakeLMStudio

    async def test_what_the_native_list_says(self, fake: FakeLMStudio, provider: StreamingProvider) -> None:
        fake.listing = Failure(200, {"object": "list", "data": ROWS})
        seeing, plain = await provider.list_models()
        assert (seeing.id, seeing.context_window, plain.id, plain.context_window) == ("qwen3-vl", 8192, "gpt-oss-20b", 131_072)
        assert seeing.capabilities is not None
        assert plain.capabilities is not None
        assert (seeing.capabilities.inputs, plain.capabilities.inputs) == ({"image"}, frozenset())

    async def test_the_imitated_list_of_an_older_version(self, fake: FakeLMStudio, provider: StreamingProvider) -> None:
        fake.is_old = True
        assert await provider.list_models() == [ModelInfo(name) for name in fake.models]
        assert [request.path for request in fake.requests] == ["/api/v0/models", "/v1/models"]
