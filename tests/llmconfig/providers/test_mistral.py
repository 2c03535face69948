"""Mistral: what it refuses, and what its list says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import Accumulator, InvalidRequest, Text, Thinking
from llmconfig.providers.mistral import MistralProvider
from tests.fakes.chat import FakeChat
from tests.fakes.script import Answer, Failure
from tests.llmconfig.providers.contract import collected, failure_of
from tests.llmconfig.providers.presets import PresetContract

if TYPE_CHECKING:
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor


class FakeMistral(FakeChat):
    default_models = ("mistral-medium-latest", "ministral-3b")

    def frames(self, answer: Answer, recorded: Any) -> Any:
        """Usage comes unasked, with the last piece."""
        assert "stream_options" not in (recorded.body or {})
        asked = {**(recorded.body or {}), "stream_options": {"include_usage": True}}
        return super().frames(answer, type(recorded)(recorded.method, recorded.path, {}, asked))

    def row(self, name: str) -> dict[str, Any]:
        can = {"completion_chat": True, "function_calling": True, "vision": "medium" in name, "reasoning": "medium" in name}
        return {**super().row(name), "capabilities": can, "name": name, "max_context_length": 131_072, "aliases": []}


class TestMistral(PresetContract):
    provider_class = MistralProvider
    fake_class = FakeMistral

    def events_until_text(self, fake: FakeVendor) -> int:
        return 2  # the role, the word

    async def test_what_the_list_says(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        medium, mini = await provider.list_models()
        assert (medium.context_window, medium.label) == (131_072, "mistral-medium-latest")
        assert medium.capabilities is not None
        assert mini.capabilities is not None
        assert (medium.capabilities.inputs, medium.capabilities.thinking) == ({"image"}, True)
        assert (mini.capabilities.inputs, mini.capabilities.thinking) == (frozenset(), False)

    async def test_models_that_do_not_chat_are_left_out(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.listing = Failure(200, {"data": [{"id": "mistral-embed", "capabilities": {"completion_chat": False}}, {"id": "ft:x"}]})
        assert [info.id for info in await provider.list_models()] == ["ft:x"]

    @pytest.mark.parametrize(
        ("options", "asked"),
        [
            ({}, {}),
            ({"reasoning_effort": "medium"}, {"reasoning_effort": "high"}),
            ({"reasoning_effort": "none"}, {"reasoning_effort": "none"}),
        ],
    )
    async def test_efforts(self, fake: FakeVendor, provider: StreamingProvider, options: dict[str, Any], asked: dict[str, Any]) -> None:
        assert await self.reasoning(fake, provider, **options) == asked

    async def test_only_fields_that_it_knows_are_sent(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        body = await self.sent(fake, provider, options={"random_seed": 7})
        assert body["random_seed"] == 7
        assert "stream_options" not in body

    async def test_a_field_that_it_does_not_know_is_told(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        detail = [{"type": "extra_forbidden", "loc": ["body", "x"], "msg": "Extra inputs are not permitted", "input": 1}]
        fake.script(Failure(422, {"object": "error", "message": {"detail": detail}, "type": "invalid_request_error", "code": None}))
        error = await failure_of(collected(provider, self.request(fake)))
        assert type(error) is InvalidRequest
        assert "Extra inputs are not permitted" in error.detail

    async def test_content_as_a_list(self, fake: FakeVendor, provider: StreamingProvider, monkeypatch: pytest.MonkeyPatch) -> None:
        thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
        chunks = [{"content": thinking}, {"content": [{"type": "text", "text": "Hi"}]}, {"content": " Alice"}]
        frames = [f'data: {{"choices":[{{"index":0,"delta":{delta}}}]}}\n\n'.replace("'", '"').encode() for delta in map(str, chunks)]
        end = b'data: {"choices":[{"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
        monkeypatch.setattr(fake, "frames", lambda *_: iter([*frames, end, b"data: [DONE]\n\n"]))
        fake.script(Answer(""))
        answer: Accumulator = await collected(provider, self.request(fake))
        assert answer.message().parts == (Thinking("hm"), Text("Hi Alice"))
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 2)
