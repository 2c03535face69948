"""OpenAI, against a server that speaks its Responses API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmconfig.llm import FinishReason, Thinking
from llmconfig.providers.openai import OpenAIProvider
from tests.fakes.openai import FakeOpenAI
from tests.fakes.script import Answer, Failure, Tokens
from tests.llmconfig.providers.contract import ProviderContract, collected

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
