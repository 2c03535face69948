"""Anthropic, against a server that speaks its Messages API."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from llmconfig.llm import (
    AuthenticationFailed,
    Capabilities,
    FinishReason,
    Media,
    Message,
    ModelNotFound,
    ProviderTimeout,
    Text,
    Thinking,
    Timeouts,
    UsageReported,
)
from llmconfig.providers.anthropic import AnthropicProvider
from llmconfig.providers.uploads import MediaLimits
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.script import Answer, Failure, Recorded, Tokens
from tests.fakes.strict import seal
from tests.llmconfig.providers.contract import TOOLS, ProviderContract, collected, failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor


CLOSED = {"type": "object", "properties": {}, "additionalProperties": False}
SMALL = MediaLimits(inline_total=100, each={"image": 1000, "document": 1000})


class TestAnthropic(ProviderContract):
    provider_class = AnthropicProvider
    fake_class = FakeAnthropic
    in_band = {"type": "overloaded_error", "message": "Overloaded"}
    quota = Failure(
        400, {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access"}}
    )

    async def test_thinking_keeps_its_signature(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("Four.", thinking="two and two"))
        answer = await collected(provider, self.request(fake, options={"thinking_budget": 2048}))
        assert fake.calls[0].body is not None
        assert fake.calls[0].body["thinking"] == {"type": "enabled", "budget_tokens": 2048}
        thought = answer.message().parts[0]
        assert isinstance(thought, Thinking)
        assert thought.text == "two and two"
        assert thought.provider_data is not None
        assert thought.provider_data.data["signature"] == seal("anthropic", fake.models[0], "two and two")

    async def test_a_long_thought_without_a_word_is_waited_for(self, fake: FakeVendor) -> None:
        """Pings say that it goes on; ahead of its beginning they say nothing."""
        frames, ping = fake.frames, b'event: ping\ndata: {"type": "ping"}\n\n'
        for behind, expected in ((b"content_block_start", "Four."), (b"message_start", "")):

            def thinking(answer: Answer, recorded: Recorded, behind: bytes = behind) -> Iterator[bytes]:
                said = list(frames(answer, recorded))
                begun = next(at for at, frame in enumerate(said) if behind in frame) + 1
                yield from [*said[:begun], *[ping] * 8, *said[begun:]]

            fake.frames = thinking  # type: ignore[method-assign]
            fake.script(Answer("Four.", thinking="hm", pace=0.1))
            provider = self.build(fake, timeouts=Timeouts(connect=2, first_token=0.5, idle=0.5))
            if expected:
                assert (await collected(provider, self.request(fake))).message().text == expected
            else:
                assert type(await failure_of(collected(provider, self.request(fake)))) is ProviderTimeout
            await provider.aclose()

    async def test_bound_thoughts_are_sent_with_leave_to_drop_them(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.models = ["claude-fable-5-1"]
        fake.script(Answer("Four.", thinking="two and two"))
        said = (await collected(provider, self.request(fake))).message()
        history = (Message("user", (Text("2+2?"),)), said, Message("user", (Text("And 3?"),)))
        await collected(provider, self.request(fake, messages=history, system="Be brief."))
        await provider.count_tokens(self.request(fake, messages=history))
        betas = [request.headers.get("anthropic-beta") for request in fake.requests]
        assert betas == [None, "thinking-binding-controls-2026-08-01", "thinking-binding-controls-2026-08-01"]

    async def test_cache_buckets(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("Hi", tokens=Tokens(input=3, output=2, cache_read=100, cache_write=50, cache_write_1h=20)))
        usage = (await collected(provider, self.request(fake))).usage
        assert (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens) == (3, 100, 50, 20)

    async def test_bug_10_a_cancelled_answer_has_its_input_counted(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("one two", tokens=Tokens(input=41), hang_after=1))
        async with aclosing(provider.stream(self.request(fake))) as events:  # type: ignore[type-var]
            first = await anext(events)
        assert isinstance(first, UsageReported)
        assert first.usage.input_tokens == 41

    async def test_the_longest_answer_is_an_option(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("one", finish="max_tokens"))
        answer = await collected(provider, self.request(fake, options={"max_output_tokens": 77}))
        assert answer.finish is not None
        assert answer.finish.reason is FinishReason.LENGTH
        assert fake.calls[0].body is not None
        assert fake.calls[0].body["max_tokens"] == 77

    async def test_input_is_counted_without_an_answer(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        request = self.request(fake, system="Be kind.", tools=TOOLS, options={"thinking_budget": 2048})
        assert (await provider.count_tokens(request) or 0) > 50
        (asked,) = fake.requests
        assert asked.path == "/v1/messages/count_tokens"
        assert asked.body is not None
        assert set(asked.body) == {"messages", "model", "system", "thinking", "tools"}

    async def test_a_count_that_is_refused_is_an_error_of_the_tree(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        with pytest.raises(ModelNotFound):
            await provider.count_tokens(self.request(fake, model="no-such-model"))

    async def test_a_base_url_with_v1_means_the_same(self, fake: FakeVendor) -> None:
        provider = self.build(fake, base_url=f"{fake.base_url}/v1/")
        await collected(provider, self.request(fake))
        await provider.aclose()
        assert fake.calls[0].path == "/v1/messages"

    async def test_a_long_list_of_models_is_read_to_its_end(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.models = [f"claude-{number}" for number in range(2005)]
        models = await provider.list_models()
        assert [info.id for info in models] == fake.models
        assert (models[0].label, models[0].context_window) == ("Claude 0", 200_000)
        assert len(fake.requests) == 3

    async def test_the_api_version_is_the_sdks(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        await collected(provider, self.request(fake))
        assert fake.calls[0].headers["anthropic-version"] == "2026-10-21"

    @pytest.mark.parametrize(
        ("model", "native", "schema", "by_tool"),
        [
            ("claude-sonnet-4-5", None, CLOSED, False),
            ("claude-sonnet-4-5", False, CLOSED, True),
            ("claude-sonnet-4-5", None, {"type": "object"}, True),
            ("claude-sonnet-4-5", True, {"type": "object"}, True),
            ("claude-3-7-sonnet", None, CLOSED, True),
        ],
    )
    async def test_who_answers_by_a_schema(
        self, fake: FakeVendor, provider: StreamingProvider, model: str, native: bool | None, schema: dict[str, object], by_tool: bool
    ) -> None:
        fake.models = [model]
        fake.script(Answer("{}"))
        answer = await collected(provider, self.request(fake, output_schema=schema, native_schema=native))
        assert answer.message().text == "{}"
        assert fake.calls[0].body is not None
        assert ("tools" in fake.calls[0].body, "output_config" in fake.calls[0].body) == (by_tool, not by_tool)

    async def test_the_list_says_what_a_model_can_do(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        said = {"thinking": {"supported": False}, "structured_outputs": {"supported": True}, "image_input": {"supported": False}}
        rows = [{"id": "claude-opus-4-1", "capabilities": said}, {"id": "claude-opus-5", "capabilities": None}]
        fake.listing = Failure(200, {"data": rows})
        first, second = await provider.list_models()
        assert first.capabilities == Capabilities(structured_output=True, inputs=frozenset({"document"}))
        assert second.capabilities is None

    async def test_media_beyond_a_request_are_uploaded_once_and_deleted_in_the_end(
        self, fake: FakeVendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("llmconfig.providers.anthropic.LIMITS", SMALL)
        provider = self.build(fake)
        plan = Media("document", "application/pdf", b"%PDF-" + b"x" * 95, "plan.pdf")
        asked = self.request(fake, messages=(Message("user", (plan, Text("What is this?"))),))
        for _ in range(2):
            await collected(provider, asked)
        form = {"filename": "plan.pdf", "content-type": "application/pdf", "expires_in_seconds": "86400"}
        assert fake.files == {"file_fake1": (form, plan.data)}
        for call in fake.calls:
            assert call.body is not None
            assert call.body["messages"][0]["content"][0] == {"type": "document", "source": {"type": "file", "file_id": "file_fake1"}}
        fake.files.clear()
        await collected(provider, asked)
        assert list(fake.files) == ["file_fake2"]
        assert [request.method for request in fake.requests] == ["UPLOAD", "POST", "POST", "POST", "UPLOAD", "POST"]
        await provider.aclose()
        assert fake.files == {}

    async def test_an_upload_that_is_refused_is_an_error_of_the_tree(self, fake: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("llmconfig.providers.anthropic.LIMITS", SMALL)
        provider = self.build(fake, key="wrong-lemonade")
        picture = Media("image", "image/png", b"x" * 100)
        error = await failure_of(collected(provider, self.request(fake, messages=(Message("user", (picture,)),))))
        assert type(error) is AuthenticationFailed
        assert "lemonade" not in error.message
        await provider.aclose()
        assert [request.method for request in fake.requests] == ["UPLOAD"]
