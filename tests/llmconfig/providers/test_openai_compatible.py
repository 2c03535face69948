"""A server that speaks Chat Completions, with and without a key or a list of models."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from llmconfig.llm import (
    Credentials,
    Finished,
    FinishReason,
    InvalidRequest,
    ModelInfo,
    ModelNotFound,
    ProviderUnavailable,
    RateLimited,
    Timeouts,
    Usage,
)
from llmconfig.net import EgressPolicy
from llmconfig.providers import base
from llmconfig.providers.openai_compatible import OpenAICompatibleProvider
from tests.fakes.openai import FakeOpenAI
from tests.fakes.script import Answer, Failure
from tests.llmconfig.providers.contract import ProviderContract, collected, failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.script import Recorded
    from tests.fakes.server import FakeVendor


class TestOpenAICompatible(ProviderContract):
    provider_class = OpenAICompatibleProvider
    fake_class = FakeOpenAI
    in_band = {"code": 503, "message": "Server overloaded", "type": "server_error"}
    quota = Failure(402, {"error": {"message": "Insufficient credits"}})

    async def test_without_a_key_no_key_is_sent(self, fake: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "operators-own")
        provider = OpenAICompatibleProvider(Credentials(fake.base_url), egress=EgressPolicy(frozenset({fake.host})))
        await collected(provider, self.request(fake))
        await provider.check()
        await provider.aclose()
        assert len(fake.requests) == 2
        assert all("Authorization" not in request.headers for request in fake.requests)

    @pytest.fixture
    def listless(self, fake: FakeVendor) -> FakeVendor:
        assert isinstance(fake, FakeOpenAI)
        fake.serves_models = False
        return fake

    async def test_a_server_without_a_list_is_asked_for_a_word(self, listless: FakeVendor, provider: StreamingProvider) -> None:
        assert await provider.check(listless.models[0]) == [ModelInfo(listless.models[0])]
        assert listless.calls[0].body is not None
        assert listless.calls[0].body["max_tokens"] == 16

    async def test_a_server_without_a_list_and_without_the_model(self, listless: FakeVendor, provider: StreamingProvider) -> None:
        assert type(await failure_of(provider.check("nope"))) is ModelNotFound

    async def test_a_server_without_a_list_and_no_model_named(self, listless: FakeVendor, provider: StreamingProvider) -> None:
        error = await failure_of(provider.check())
        assert type(error) is InvalidRequest
        assert "often ends in /v1. Name a model" in error.message

    async def test_a_web_page_is_not_an_api(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        error = await failure_of(page(provider).list_models())
        assert type(error) is ProviderUnavailable
        assert "answered, but not as" in error.detail

    async def test_reasoning_as_many_servers_stream_it(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("Four.", thinking="two and two"))
        answer = await collected(provider, self.request(fake))
        assert [type(part).__name__ for part in answer.message().parts] == ["Thinking", "Text"]

    @pytest.mark.parametrize("ending", ["cut_after", "end_after", "hang_after"])
    async def test_past_its_finish_reason_an_answer_does_not_fail(
        self, fake: FakeVendor, provider: StreamingProvider, monkeypatch: pytest.MonkeyPatch, ending: str
    ) -> None:
        monkeypatch.setattr(base, "TAIL_S", 0.1)
        fake.script(Answer("one two", **{ending: 4}))  # the role, two words, the finish reason
        answer = await collected(provider, self.request(fake))
        assert answer.message().text == "one two"
        assert answer.finish == Finished(FinishReason.STOP, "stop")
        assert answer.usage == Usage()

    async def test_a_server_that_keeps_its_connection_alive_does_not_keep_the_answer(
        self, fake: FakeVendor, provider: StreamingProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(base, "TAIL_S", 0.2)
        frames = fake.frames

        def kept_alive(answer: Answer, recorded: Recorded) -> Iterator[bytes]:
            yield from list(frames(answer, recorded))[:3]
            while True:
                yield b": ping\n\n"

        monkeypatch.setattr(fake, "frames", kept_alive)
        fake.script(Answer("one", pace=0.05))
        answer = await collected(provider, self.request(fake))
        assert answer.finish == Finished(FinishReason.STOP, "stop")
        assert await fake.until(lambda it: it.calls[0].outcome == "left", 2)

    async def test_a_server_that_gives_a_finish_reason_with_every_piece_is_heard_out(
        self, fake: FakeVendor, provider: StreamingProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(base, "TAIL_S", 0.3)
        piece = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n'
        monkeypatch.setattr(fake, "frames", lambda *_: iter([piece] * 8))
        fake.script(Answer("", pace=0.1))
        assert (await collected(provider, self.request(fake))).message().text == "a" * 8

    async def test_usage_that_comes_late_is_waited_for(self, fake: FakeVendor) -> None:
        """Longer than for the next word: the server has all it needs to count."""
        provider = self.build(fake, timeouts=Timeouts(connect=2, first_token=2, idle=0.3))
        frames = fake.frames

        def paused(answer: Answer, recorded: Recorded) -> Iterator[bytes]:
            for frame in frames(answer, recorded):
                if b'"usage":{' in frame:
                    time.sleep(0.6)  # in the fake's own thread
                yield frame

        fake.frames = paused  # type: ignore[method-assign]
        assert (await collected(provider, self.request(fake))).usage.is_known
        await provider.aclose()

    async def test_a_server_that_does_not_stream(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        message = {"role": "assistant", "content": "Hello Alice"}
        usage = {"prompt_tokens": 30, "completion_tokens": 12}
        whole = {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
        fake.script(Failure(200, whole))
        answer = await collected(provider, self.request(fake))
        assert answer.message().text == "Hello Alice"
        assert answer.finish == Finished(FinishReason.STOP, "stop")
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (30, 12)

    async def test_a_server_that_does_not_stream_and_has_nothing_to_say(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Failure(200, {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": ""}}]}))
        assert type(await failure_of(collected(provider, self.request(fake)))) is ProviderUnavailable

    async def test_an_older_error_of_vllm_in_place_of_a_stream(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Failure(200, {"object": "error", "message": "Too fast", "type": "TooManyRequests", "code": 429}))
        assert type(await failure_of(collected(provider, self.request(fake)))) is RateLimited


def page(provider: StreamingProvider) -> StreamingProvider:
    """The provider, pointed at what answers 200 with something that is no list of models."""
    provider.models_path = "/models/gpt-5.4"  # type: ignore[misc]
    return provider
