"""OpenAI, against a server that speaks its Responses API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmconfig.llm import FinishReason, Media, Message, ProviderUnavailable, Thinking
from llmconfig.providers.openai import OpenAIProvider
from llmconfig.providers.uploads import MediaLimits
from tests.fakes.openai import FakeOpenAI
from tests.fakes.script import Answer, Failure, Tokens
from tests.llmconfig.providers.contract import TOOLS, ProviderContract, collected, failure_of

if TYPE_CHECKING:
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor


class TestOpenAI(ProviderContract):
    provider_class = OpenAIProvider
    fake_class = FakeOpenAI
    in_band = {"code": "server_error", "message": "The server had an error"}
    quota = Failure(
        429, {"error": {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}}
    )

    async def test_reasoning_is_sealed_and_counted(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("Four.", thinking="two and two", tokens=Tokens(output=20, reasoning=8)))
        answer = await collected(provider, self.request(fake, options={"reasoning_effort": "high"}))
        assert (answer.usage.output_tokens, answer.usage.reasoning_tokens) == (20, 8)
        thought = answer.message().parts[0]
        assert isinstance(thought, Thinking)
        assert thought.text == "two and two"
        assert thought.provider_data is not None
        assert fake.calls[0].body is not None
        assert fake.calls[0].body["reasoning"]["effort"] == "high"

    async def test_input_is_counted_without_an_answer(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        request = self.request(fake, system="Be kind.", tools=TOOLS, max_output_tokens=50, options={"reasoning_effort": "low"})
        assert (await provider.count_tokens(request) or 0) > 50
        (asked,) = fake.requests
        assert asked.path == "/v1/responses/input_tokens"
        assert asked.body is not None
        assert set(asked.body) == {"input", "instructions", "model", "reasoning", "tools"}

    async def test_summaries_are_an_option_that_is_off(self) -> None:
        (option,) = (each for each in OpenAIProvider.options if each.name == "reasoning_summary")
        assert (option.type, option.default) == ("boolean", False)

    @pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
    async def test_a_base_url_without_v1_means_the_same(self, fake: FakeVendor, ending: str) -> None:
        provider = self.build(fake, base_url=f"http://{fake.host}{ending}")
        await collected(provider, self.request(fake))
        await provider.aclose()
        assert fake.calls[0].path == "/v1/responses"

    async def test_an_answer_cut_by_its_limit(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("one", finish="max_output_tokens"))
        answer = await collected(provider, self.request(fake))
        assert answer.finish is not None
        assert answer.finish.reason is FinishReason.LENGTH

    async def test_models_that_cannot_chat_are_left_out_of_the_list_but_not_refused(
        self, fake: FakeVendor, provider: StreamingProvider
    ) -> None:
        fake.models += ["text-embedding-4-large", "whisper-2"]
        assert [info.id for info in await provider.list_models()] == ["gpt-5.4", "gpt-5.4-mini"]
        assert "whisper-2" in [info.id for info in await provider.check("whisper-2")]

    async def test_media_beyond_a_request_are_uploaded_and_deleted_in_the_end(
        self, fake: FakeVendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("llmconfig.providers.openai.LIMITS", MediaLimits(inline_total=0, each={}))
        provider = self.build(fake)
        plan, picture = Media("document", "application/pdf", b"%PDF-x", "plan.pdf"), Media("image", "image/png", b"x")
        await collected(provider, self.request(fake, messages=(Message("user", (plan, picture)),)))
        expiry = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "86400"}
        assert fake.files == {
            "file-fake1": ({"filename": "plan.pdf", "content-type": "application/pdf", "purpose": "user_data", **expiry}, plan.data),
            "file-fake2": ({"filename": "image.png", "content-type": "image/png", "purpose": "vision", **expiry}, picture.data),
        }
        assert fake.calls[0].body is not None
        assert fake.calls[0].body["input"][0]["content"] == [
            {"type": "input_file", "file_id": "file-fake1"},
            {"type": "input_image", "detail": "auto", "file_id": "file-fake2"},
        ]
        await provider.aclose()
        assert fake.files == {}

    async def test_a_store_that_answers_otherwise_is_no_api(self, fake: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("llmconfig.providers.openai.LIMITS", MediaLimits(inline_total=0, each={}))
        fake.storing = Failure(200, {"id": 7})
        provider = self.build(fake)
        error = await failure_of(collected(provider, self.request(fake, messages=(Message("user", (Media("image", "image/png", b"x"),)),))))
        assert type(error) is ProviderUnavailable
        await provider.aclose()

    @pytest.mark.parametrize(("model", "by_tool"), [("gpt-5.4", False), ("gpt-4-turbo", True)])
    async def test_who_answers_by_a_schema(self, fake: FakeVendor, provider: StreamingProvider, model: str, by_tool: bool) -> None:
        fake.models = [model]
        fake.script(Answer("{}"))
        await collected(provider, self.request(fake, output_schema={"type": "object"}))
        assert fake.calls[0].body is not None
        assert ("tools" in fake.calls[0].body, "text" in fake.calls[0].body) == (by_tool, not by_tool)

    async def test_what_is_known_of_a_model(self) -> None:
        known = [OpenAIProvider.capabilities_of(name) for name in ("gpt-5.4", "gpt-4.1", "gpt-4")]
        assert [(each.thinking, each.structured_output) for each in known] == [(True, True), (False, True), (False, False)]
