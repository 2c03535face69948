"""What every provider must do, against a server that speaks its vendor's wire. A provider's test subclasses `ProviderContract`."""

from __future__ import annotations

import asyncio
import json
import traceback
from base64 import b64encode
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from llmconfig.llm import (
    Allowance,
    AuthenticationFailed,
    Credentials,
    FinishReason,
    InvalidRequest,
    Media,
    Message,
    ModelNotFound,
    ModelRequest,
    Overloaded,
    PermissionDenied,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RateLimits,
    Secret,
    StreamInterrupted,
    Text,
    TextDelta,
    Thinking,
    Timeouts,
    Tool,
    ToolResult,
    Usage,
)
from llmconfig.net import EgressPolicy
from tests.fakes.script import Answer, Call, Failure, Recorded, Silence, Tokens
from tests.llmconfig.providers.asking import collected, failure_of
from tests.llmconfig.providers.listing_contract import ListingContract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llmconfig.llm import StreamEvent
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor

KEY = "sk-alice-0123456789abcdefghij"
QUICK = Timeouts(connect=2, first_token=0.2, idle=0.2)
MEDIA = (
    Media("image", "image/png", b"\x89PNG-of-a-cat", "cat.png"),
    Media("document", "application/pdf", b"%PDF-of-a-plan", "plan.pdf"),
    Media("audio", "audio/mpeg", b"ID3-of-a-song", "song.mp3"),
    Media("video", "video/mp4", b"ftyp-of-a-film", "film.mp4"),
)
TOOLS = (
    Tool("demo__search_tickets", "Finds tickets", {"type": "object", "properties": {"query": {"type": "string"}}}),
    Tool("demo__find_customers", "Finds customers", {"type": "object", "properties": {}}),
)


class ProviderContract(ListingContract):
    provider_class: ClassVar[type[StreamingProvider]]
    fake_class: ClassVar[type[FakeVendor]]
    usage: ClassVar[Usage] = Usage(input_tokens=30, output_tokens=12, cache_read_tokens=7)
    """What the vendor's report of `Tokens(input=30, output=12, cache_read=7)` means in our buckets, field by field where it says so."""
    in_band: ClassVar[dict[str, Any]] = {}
    overloaded: ClassVar[int] = 503
    quota: ClassVar[Failure]
    key_header: ClassVar[tuple[str, str]] = ("Authorization", f"Bearer {KEY}")
    refused_key_status: ClassVar[int] = 401

    @pytest.fixture
    def fake(self) -> Iterator[FakeVendor]:
        with self.fake_class() as fake:
            yield fake

    @pytest.fixture
    async def provider(self, fake: FakeVendor) -> AsyncIterator[StreamingProvider]:
        provider = self.build(fake)
        yield provider
        await provider.aclose()

    def build(
        self,
        fake: FakeVendor,
        *,
        key: str = KEY,
        timeouts: Timeouts = Timeouts(),  # noqa: B008  a frozen value
        base_url: str = "",
        listed: bool = True,
    ) -> StreamingProvider:
        policy = EgressPolicy(frozenset({"127.0.0.1:*"} if listed else ()))
        return self.provider_class(Credentials(base_url or fake.base_url, {"api_key": Secret(key)}), egress=policy, timeouts=timeouts)

    def request(self, fake: FakeVendor, **changes: Any) -> ModelRequest:
        return ModelRequest(**{"model": fake.models[0], "messages": (Message("user", (Text("Hi"),)),), **changes})

    # Answers

    async def test_text_with_its_usage(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("Hello Alice, how are you?", tokens=Tokens(input=30, output=12, cache_read=7)))
        answer = await collected(provider, self.request(fake, system="Be kind."))
        assert answer.message().text == "Hello Alice, how are you?"
        assert answer.finish is not None
        assert answer.finish.reason is FinishReason.STOP
        for name in ("input_tokens", "output_tokens", "cache_read_tokens"):
            assert getattr(answer.usage, name) == getattr(self.usage, name), name

    async def test_two_calls_at_once(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        calls = [Call("demo__search_tickets", {"query": "tëst"}), Call("demo__find_customers")]
        fake.script(Answer("Let me see.", calls=calls))
        answer = await collected(provider, self.request(fake, tools=TOOLS))
        assert answer.finish is not None
        assert answer.finish.reason is FinishReason.TOOL_CALLS
        made = answer.message().tool_calls
        assert [(call.name, dict(call.arguments), call.malformed) for call in made] == [
            ("demo__search_tickets", {"query": "tëst"}, None),
            ("demo__find_customers", {}, None),
        ]

    async def test_an_answer_by_a_schema_that_the_model_does_not_know(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("Here it is.", calls=[Call("respond_with_answer", {"name": "Alice"})]))
        schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        answer = await collected(provider, self.request(fake, tools=TOOLS, output_schema=schema, native_schema=False))
        assert (json.loads(answer.message().text), answer.message().tool_calls) == ({"name": "Alice"}, ())
        assert answer.finish is not None
        assert answer.finish.reason is FinishReason.STOP

    async def test_what_it_thought_goes_back_as_it_came(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        """Where the vendor wants it, sealed as it was; where not, not at all. The fakes refuse what their vendors would."""
        fake.script(Answer("Let me see.", thinking="two and two", calls=[Call("demo__find_customers")]), Answer("Four."))
        asked = self.request(fake, tools=TOOLS)
        said = (await collected(provider, asked)).message()
        [thought] = [part for part in said.parts if isinstance(part, Thinking)]
        result = ToolResult(said.tool_calls[0].id, (Text("none"),))
        again = replace(asked, messages=(*asked.messages, said, Message("tool", (result,))))
        assert (await collected(provider, again)).message().text == "Four."
        sent = json.dumps(fake.calls[-1].body)
        seals = [value for value in (thought.provider_data.data.values() if thought.provider_data else ()) if isinstance(value, str)]
        assert all(json.dumps(seal) in sent for seal in seals)
        assert ("two and two" in sent) == (thought.provider_data is not None)

    @pytest.mark.parametrize("medium", MEDIA, ids=lambda medium: medium.kind)
    async def test_media_are_sent_where_the_model_takes_them_and_refused_by_name_elsewhere(
        self, fake: FakeVendor, provider: StreamingProvider, medium: Media
    ) -> None:
        model = self.provider_class.underlying_model(fake.models[0], {})
        inputs = self.provider_class.capabilities_of(model).inputs
        asked = self.request(fake, messages=(Message("user", (Text("What is this?"), medium)),), inputs=inputs)
        if medium.kind in inputs:
            await collected(provider, asked)
            assert b64encode(medium.data).decode() in json.dumps(fake.calls[-1].body)
            return
        error = await failure_of(collected(provider, asked))
        assert type(error) is InvalidRequest
        assert f"{medium.kind} “{medium.name}”" in error.detail
        assert fake.calls == []

    async def test_events_come_while_the_answer_is_being_written(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("one two three", hang_after=self.events_until_text(fake)))
        async with asyncio.timeout(5), aclosing(provider.stream(self.request(fake))) as events:  # type: ignore[type-var]
            first = await anext(event async for event in events if isinstance(event, TextDelta))
        assert first.text == "one"

    def events_until_text(self, fake: FakeVendor) -> int:
        """How many of the vendor's own events an answer's first word takes."""
        recorded = Recorded(
            "POST", self.provider_class.answer_path, {}, {"model": fake.models[0], "stream_options": {"include_usage": True}}
        )
        frames = list(fake.frames(Answer("one two three"), recorded))
        return next(number for number, frame in enumerate(frames, 1) if b'"one"' in frame)

    async def test_two_hundred_answers_at_once(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*(collected(provider, self.request(fake)) for _ in range(200)))
        assert len(answers) == len(fake.calls) == 200
        assert all(answer.finish for answer in answers)

    # Endings

    async def test_closing_the_iterator_closes_the_request(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("one two three", hang_after=self.events_until_text(fake)))
        async with aclosing(provider.stream(self.request(fake))) as events:  # type: ignore[type-var]
            await anext(event async for event in events if isinstance(event, TextDelta))
        assert await fake.until(lambda it: it.calls[0].outcome == "left", 2)

    @pytest.mark.parametrize("finish", [True, False])
    async def test_the_response_is_closed_by_us_and_not_by_the_garbage_collector(
        self, fake: FakeVendor, provider: StreamingProvider, monkeypatch: pytest.MonkeyPatch, finish: bool
    ) -> None:
        kept: list[Any] = []
        send = provider._send

        async def keeping(body: dict[str, Any]) -> Any:
            kept.append(await send(body))
            return kept[-1]

        monkeypatch.setattr(provider, "_send", keeping)
        fake.script(Answer("one two", hang_after=None if finish else self.events_until_text(fake)))
        async with aclosing(provider.stream(self.request(fake))) as events:  # type: ignore[type-var]
            async for event in events:
                if isinstance(event, TextDelta) and not finish:
                    break
        assert kept[0].is_closed

    @pytest.mark.parametrize("scripted", [Silence(), Answer("one two", hang_after=2)])
    async def test_cancelling_the_task_closes_the_request(self, fake: FakeVendor, provider: StreamingProvider, scripted: Any) -> None:
        fake.script(scripted)
        task = asyncio.create_task(collected(provider, self.request(fake)))
        assert await fake.until(lambda it: bool(it.calls))
        task.cancel()
        assert await fake.until(lambda it: it.calls[0].outcome == "left", 2)
        with pytest.raises(asyncio.CancelledError):
            await task

    @pytest.mark.parametrize("ending", ["cut_after", "end_after"])
    @pytest.mark.parametrize("number", [1, 4])
    async def test_a_broken_stream_is_never_a_success(
        self, fake: FakeVendor, provider: StreamingProvider, ending: str, number: int
    ) -> None:
        fake.script(Answer("one two three four", **{ending: number}))
        error = await failure_of(collected(provider, self.request(fake)))
        assert type(error) is StreamInterrupted
        assert self.provider_class.label in error.detail

    async def test_an_error_event_after_text(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("one two", error=self.in_band))
        seen: list[StreamEvent] = []
        error = await failure_of(collected(provider, self.request(fake), seen))
        assert isinstance(error, Overloaded)
        assert error.detail.startswith(self.provider_class.label)
        assert "".join(event.text for event in seen if isinstance(event, TextDelta)) == "one two"

    async def test_silence_before_the_answer(self, fake: FakeVendor) -> None:
        fake.script(Silence())
        error = await self.one_failure(fake, QUICK)
        assert type(error) is ProviderTimeout
        assert error.detail == f"{self.provider_class.label} sent nothing for 0.2 s."
        assert await fake.until(lambda it: it.calls[0].outcome == "left", 2)

    async def test_silence_within_the_answer(self, fake: FakeVendor) -> None:
        fake.script(Answer("one two three", hang_after=self.events_until_text(fake)))
        error = await self.one_failure(fake, Timeouts(connect=2, first_token=30, idle=0.2))
        assert type(error) is ProviderTimeout
        assert await fake.until(lambda it: it.calls[0].outcome == "left", 2)

    async def test_headers_alone_are_not_a_first_token(self, fake: FakeVendor) -> None:
        fake.script(Answer("one", hang_after=self.events_until_text(fake) - 1))
        error = await self.one_failure(fake, Timeouts(connect=2, first_token=0.2, idle=30))
        assert type(error) is ProviderTimeout

    # Refusals

    @pytest.mark.parametrize(
        ("status", "expected", "retryable"),
        [
            (400, InvalidRequest, False),
            (401, AuthenticationFailed, False),
            (403, PermissionDenied, False),
            (404, ModelNotFound, False),
            (422, InvalidRequest, False),
            (429, RateLimited, True),
            (500, Overloaded, True),
            (502, Overloaded, True),
            (503, Overloaded, True),
            (529, Overloaded, True),
        ],
    )
    async def test_statuses(
        self, fake: FakeVendor, provider: StreamingProvider, status: int, expected: type[ProviderError], retryable: bool
    ) -> None:
        fake.script(Failure(status))
        error = await failure_of(collected(provider, self.request(fake)))
        assert type(error) is expected
        assert (error.status, error.retryable) == (status, retryable)
        assert f"({status})" in error.detail
        assert error.detail.startswith(self.provider_class.label)
        assert len(fake.calls) == 1, "an SDK retried by itself"

    async def test_retry_after(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Failure(429, headers={"retry-after": "7"}))
        error = await failure_of(collected(provider, self.request(fake)))
        assert error.retry_after == 7

    async def test_what_the_headers_say_is_left_is_kept(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        headers = {"x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1m2s"}
        fake.script(Answer("Hi", headers=headers), Failure(429, headers=headers))
        left = RateLimits(requests=Allowance(500, 3, 62.0))
        assert (await collected(provider, self.request(fake))).limits == left
        assert (await failure_of(collected(provider, self.request(fake)))).limits == left

    async def test_spent_quota_is_never_retried(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(self.quota)
        error = await failure_of(collected(provider, self.request(fake)))
        assert type(error) is QuotaExhausted
        assert not error.retryable

    @pytest.mark.parametrize("body", ["", "<html>Bad gateway</html>", "[]", '{"error": "text"}', "\x00\xff{"])
    async def test_odd_error_bodies(self, fake: FakeVendor, provider: StreamingProvider, body: str) -> None:
        fake.script(Failure(502, body))
        assert type(await failure_of(collected(provider, self.request(fake)))) is Overloaded

    async def test_an_answer_that_cannot_be_unpacked(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        packed = {"content-encoding": "gzip"}
        fake.script(Failure(200, "no gzip", packed), Failure(401, "no gzip", packed))
        assert type(await failure_of(collected(provider, self.request(fake)))) is StreamInterrupted
        assert type(await failure_of(collected(provider, self.request(fake)))) is ProviderUnavailable
        fake.listing = Failure(200, "no gzip", packed)
        error = await failure_of(provider.list_models())
        assert type(error) is ProviderUnavailable
        assert error.detail == f"127.0.0.1:{fake.port} sent a compressed answer that cannot be unpacked."

    @pytest.mark.parametrize(
        ("body", "expected", "says"),
        [
            ({"error": {"message": "Too fast", "code": 429}}, RateLimited, "asks to slow down: Too fast."),
            ({"error": "Out of memory"}, Overloaded, "is overloaded or failing: Out of memory."),
            ({"id": "x", "object": "chat.completion"}, ProviderUnavailable, "answered, but not as"),
            ("[1, 2", ProviderUnavailable, "answered, but not as"),
        ],
    )
    async def test_a_document_in_place_of_a_stream(
        self, fake: FakeVendor, provider: StreamingProvider, body: Any, expected: type[ProviderError], says: str
    ) -> None:
        fake.script(Failure(200, body))
        error = await failure_of(collected(provider, self.request(fake)))
        assert type(error) is expected
        assert says in error.detail

    async def test_a_stream_that_goes_by_the_name_of_a_document(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        recorded = Recorded("POST", self.provider_class.answer_path, {}, {"model": fake.models[0]})
        fake.script(Failure(200, b"".join(fake.frames(Answer("one two"), recorded)).decode()))
        assert (await collected(provider, self.request(fake))).message().text == "one two"

    @pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "text/plain", "application/octet-stream"])
    async def test_a_stream_under_a_strange_name(
        self, fake: FakeVendor, provider: StreamingProvider, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """Frameworks give one to whatever has none."""
        monkeypatch.setattr(fake, "content_type", kind)
        fake.script(Answer("one two"))
        assert (await collected(provider, self.request(fake))).message().text == "one two"

    async def test_a_redirect_is_not_followed(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Failure(307, "", {"location": f"{fake.base_url}/elsewhere"}))
        assert isinstance(await failure_of(collected(provider, self.request(fake))), ProviderError)
        assert len(fake.requests) == 1

    async def test_an_unreachable_server(self, fake: FakeVendor) -> None:
        import socket

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            error = await self.one_failure(fake, base_url=f"http://127.0.0.1:{port}/v1")
        assert type(error) is ProviderUnavailable
        assert error.detail == f"routekit could not reach 127.0.0.1:{port}: connection refused."

    async def test_a_private_address_that_nobody_listed(self, fake: FakeVendor) -> None:
        error = await self.one_failure(fake, listed=False)
        assert type(error) is ProviderUnavailable
        assert (
            error.detail == f"127.0.0.1 is a private address. An operator must add 127.0.0.1:{fake.port} to ROUTEKIT_PRIVATE_HOSTS first."
        )
        assert fake.requests == []

    async def test_https_to_a_plain_server(self, fake: FakeVendor) -> None:
        error = await self.one_failure(fake, base_url=fake.base_url.replace("http:", "https:"))
        assert type(error) is ProviderUnavailable
        assert "TLS" in error.detail

    # Secrets

    async def test_the_key_goes_in_its_header_and_nothing_of_the_environment_with_it(
        self, fake: FakeVendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in (
            "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID",
            "OPENAI_PROJECT_ID", "OPENAI_BASE_URL", "GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_CLOUD_PROJECT",
        ):  # fmt: skip
            monkeypatch.setenv(name, "operators-own")
        for name in ("ANTHROPIC_CUSTOM_HEADERS", "OPENAI_CUSTOM_HEADERS"):
            monkeypatch.setenv(name, "X-Api-Key: operators-own\nAuthorization: Bearer operators-own")
        provider = self.build(fake)
        await collected(provider, self.request(fake))
        await provider.list_models()
        await provider.aclose()
        assert len(fake.requests) == 2
        for request in fake.requests:
            name, value = self.key_header
            assert request.headers[name] == value
            assert KEY not in request.path
            assert "operators-own" not in str(request.headers)

    @pytest.mark.parametrize("status", [400, 401, 500])
    async def test_a_key_that_is_echoed_shows_nowhere(self, fake: FakeVendor, provider: StreamingProvider, status: int) -> None:
        fake.script(Failure(status, f'{{"error": {{"message": "Incorrect API key provided: {KEY}. See {KEY}"}}}}'))
        error = await failure_of(collected(provider, self.request(fake)))
        chain = "".join(traceback.format_exception(error))
        assert KEY not in "".join((str(error), repr(error), error.message, chain, repr(provider), str(vars(error))))
        assert error.__context__ is None
        assert error.__cause__ is None

    async def test_a_key_at_the_cut_of_a_long_message_is_masked(self, fake: FakeVendor) -> None:
        key = "lemonade-stand-key"
        provider = self.build(fake, key=key)
        for before in range(478, 500):
            fake.script(Failure(400, {"error": {"message": f"{'w ' * 200:.<{before}}{key} and more"}}))
            error = await failure_of(collected(provider, self.request(fake)))
            assert "lemo" not in error.detail
        await provider.aclose()

    async def test_a_short_odd_key_is_masked_too(self, fake: FakeVendor) -> None:
        provider = self.build(fake, key="wrong-lemonade")
        error = await failure_of(provider.check())
        await provider.aclose()
        assert type(error) is AuthenticationFailed
        assert "lemonade" not in error.message
        assert error.detail.startswith(f"{self.provider_class.label} refused this key ({self.refused_key_status})")

    async def test_a_key_that_is_echoed_within_the_stream_is_masked(self, fake: FakeVendor) -> None:
        key = "lemonade-stand"
        fake.script(Answer("one", error={**self.in_band, "message": f"Trouble with {key}"}))
        provider = self.build(fake, key=key)
        error = await failure_of(collected(provider, self.request(fake)))
        await provider.aclose()
        assert "Trouble with" in error.detail
        assert key not in "".join(traceback.format_exception(error))

    @pytest.mark.parametrize("key", ["sk-käse-0123456789", "sk-two\nlines", "sk-a b"])
    async def test_a_key_that_is_no_key_is_refused_without_a_request(self, fake: FakeVendor, key: str) -> None:
        provider = self.build(fake, key=key)
        for attempt in (provider.check(), collected(provider, self.request(fake))):
            error = await failure_of(attempt)
            assert type(error) is AuthenticationFailed
            assert key not in error.message
        await provider.aclose()
        assert fake.requests == []

    async def test_an_answer_of_a_model_that_does_not_exist(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        assert type(await failure_of(collected(provider, self.request(fake, model="nope")))) is ModelNotFound

    async def one_failure(self, fake: FakeVendor, timeouts: Timeouts = Timeouts(), **changes: Any) -> ProviderError:  # noqa: B008
        provider = self.build(fake, timeouts=timeouts, **changes)
        try:
            return await failure_of(collected(provider, self.request(fake)))
        finally:
            await provider.aclose()
