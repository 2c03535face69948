"""Ollama against a fake that its own Python client reads, too."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import (
    Capabilities,
    ContextTooLong,
    Credentials,
    Finished,
    FinishReason,
    InvalidRequest,
    ModelNotFound,
    PermissionDenied,
    Reasoning,
    Secret,
    Thinking,
    Timeouts,
)
from llmconfig.net import EgressPolicy
from llmconfig.providers import ollama as subject
from llmconfig.providers.ollama import DEFAULT_WINDOW, OllamaProvider
from tests.fakes.ollama import FakeOllama
from tests.fakes.script import Answer, Call, Failure, Tokens
from tests.llmconfig.providers.contract import KEY, TOOLS, ProviderContract, collected, failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor

TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the context length in "
    "settings, or use a model with a longer context length"
)


class TestOllama(ProviderContract):
    provider_class = OllamaProvider
    fake_class = FakeOllama
    in_band = {"message": "an error was encountered while running the model: unexpected EOF"}
    quota = Failure(
        429, {"error": "you (alice) have reached your weekly usage limit, upgrade for higher limits: https://ollama.com/upgrade"}
    )
    list_key, row_key = "models", "model"
    unsaid = {"context_window": DEFAULT_WINDOW}

    async def test_thinking(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("Four.", thinking="two and two"))
        answer = await collected(provider, self.request(fake))
        thought, _ = answer.message().parts
        assert isinstance(thought, Thinking)
        assert (thought.text, answer.message().text) == ("two and two", "Four.")

    async def test_a_whole_answer_of_a_server_that_does_not_stream(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        whole = {"message": {"role": "assistant", "content": "Hello Alice"}, "done": True, "done_reason": "stop", "eval_count": 3}
        fake.script(Failure(200, whole), Failure(200, json.dumps(whole) + "\n"), Failure(200, json.dumps(whole, indent=2)))
        for _ in range(3):
            answer = await collected(provider, self.request(fake))
            assert (answer.message().text, answer.finish) == ("Hello Alice", Finished(FinishReason.STOP, "stop"))

    @pytest.mark.parametrize(
        ("status", "error", "expected"),
        [
            (400, TOO_LONG, ContextTooLong),
            (400, "prompt too long; exceeded max context length by 4 tokens", ContextTooLong),
            (400, "the input length exceeds the context length", ContextTooLong),
            (400, "input exceeds maximum context length and cannot be truncated further", ContextTooLong),
            (400, "registry.ollama.ai/library/gemma3:4b does not support tools", InvalidRequest),
            (400, '"llama3.2" does not support thinking', InvalidRequest),
            (404, 'model "qwen3:8b" not found, try pulling it first', ModelNotFound),
            (403, "this model requires a subscription, upgrade for access: https://ollama.com/upgrade", PermissionDenied),
        ],
    )
    async def test_what_a_server_refuses(
        self, fake: FakeVendor, provider: StreamingProvider, status: int, error: str, expected: type[Exception]
    ) -> None:
        fake.script(Failure(status, {"error": error}))
        failure = await failure_of(collected(provider, self.request(fake)))
        assert type(failure) is expected
        assert error in failure.detail
        assert ("can be set in its options" in failure.detail) == (expected is ContextTooLong)

    @pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/api"])
    async def test_the_base_url_is_taken_as_other_clients_are_given_it(self, fake: FakeVendor, suffix: str) -> None:
        provider = self.build(fake, base_url=fake.base_url + suffix)
        await collected(provider, self.request(fake))
        await provider.aclose()
        assert fake.calls[0].path == "/api/chat"

    async def test_without_a_key_none_is_sent(self, fake: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OLLAMA_API_KEY", "operators-own")
        provider = configured(fake, {})
        await collected(provider, self.request(fake))
        await provider.check()
        await provider.aclose()
        assert all("Authorization" not in request.headers for request in (*fake.requests, *lookups(fake)))

    async def test_the_key_goes_with_every_look_up(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        await provider.check()
        assert [request.headers["Authorization"] for request in lookups(fake)] == [f"Bearer {KEY}"] * 2


# The list


async def test_what_is_listed_of_each_model(fake: FakeOllama) -> None:
    fake.models = ["qwen3:8b", "llava:13b", "nomic-embed-text:latest", "gpt-oss:120b-cloud", "long:latest", "small:latest"]
    fake.shown |= {
        "llava:13b": {"capabilities": ["completion", "vision"], "model_info": {"llama.context_length": 4096}},
        "nomic-embed-text:latest": {"capabilities": ["embedding"]},
        "gpt-oss:120b-cloud": {"model_info": {"gptoss.context_length": 131072}, "remote_host": "https://ollama.com:443"},
        "long:latest": {"parameters": 'temperature 1\nnum_ctx                        32768\nstop "x"'},
        "small:latest": {"model_info": {"llama.context_length": 2048, "general.architecture": "llama"}},
    }
    listed = {info.id: info for info in await listing(fake)}
    assert {name: info.context_window for name, info in listed.items()} == {
        "qwen3:8b": DEFAULT_WINDOW,
        "llava:13b": 4096,
        "gpt-oss:120b-cloud": 131072,
        "long:latest": 32768,
        "small:latest": 2048,
    }
    assert listed["qwen3:8b"].label == "qwen3:8b (8.2B, Q4_K_M)"
    assert listed["qwen3:8b"].capabilities == Capabilities(thinking=True, structured_output=True)
    assert listed["llava:13b"].capabilities == Capabilities(
        tools=False, parallel_tools=False, structured_output=True, inputs=frozenset({"image"})
    )


async def test_a_window_that_the_config_sets_is_never_said_to_be_wider_than_the_model(fake: FakeOllama) -> None:
    assert [info.context_window for info in await listing(fake, {"num_ctx": 8192})] == [8192, 8192]
    assert [info.context_window for info in await listing(fake, {"num_ctx": 999_999})] == [40960, 40960]


@pytest.mark.parametrize("family", ["qwen3", "nomic-bert"])
async def test_an_older_server_that_does_not_say_what_its_models_can(fake: FakeOllama, family: str) -> None:
    fake.shown["qwen3:8b"] = {"capabilities": None, "details": {"family": family}}
    first = (await listing(fake))[0]
    assert (first.id == "qwen3:8b", first.capabilities is None) == (family == "qwen3", family == "qwen3")


async def test_a_model_that_is_not_shown_is_listed_by_its_name(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is refused, and one that is not answered in time."""
    monkeypatch.setattr(subject, "LOOKUPS_WITHIN_S", 0.2)
    fake.models, fake.hidden, fake.unanswered = ["a", "b", "c"], {"a"}, {"b"}
    listed = await listing(fake)
    assert [(info.id, info.capabilities is None) for info in listed] == [("a", True), ("b", True), ("c", False)]


async def test_a_long_list_is_looked_up_a_few_at_a_time(fake: FakeOllama) -> None:
    fake.models = [f"model-{number}" for number in range(60)]
    assert len(await listing(fake)) == len(fake.lookups) == 60
    assert 1 < fake.most_at_once <= subject.LOOKUPS_AT_ONCE


async def test_of_a_list_beyond_reason_only_the_first_are_looked_up(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MOST_LOOKUPS", 5)
    fake.models = [f"model-{number}" for number in range(60)]
    listed = await listing(fake)
    assert [info.id for info in listed] == fake.models
    assert [info.capabilities is None for info in listed] == [False] * 5 + [True] * 55
    assert len(fake.lookups) == 5


async def test_a_size_is_a_word(fake: FakeOllama) -> None:
    fake.shown["qwen3:8b"] = {"details": {"parameter_size": "8" * 1_000_000}}
    assert len((await listing(fake))[0].label) < 100


async def test_check_knows_a_name_without_its_tag(fake: FakeOllama) -> None:
    fake.aliases["llama3.2"] = "llama3.2:latest"
    fake.aliases["embed"] = "llama3.2:latest"
    fake.shown["embed"] = {"capabilities": ["embedding"]}
    provider = configured(fake, {})
    listed = await provider.check("llama3.2")
    assert [info.id for info in listed] == ["qwen3:8b", "llama3.2:latest", "llama3.2"]
    assert listed[-1].context_window == DEFAULT_WINDOW
    assert (await failure_of(provider.check("embed"))).detail == f"'embed' at {fake.host} cannot chat."
    missing = await failure_of(provider.check("nope"))
    assert missing.detail == f"{fake.host} has no model 'nope'. Pull it there first (ollama pull)."
    await provider.aclose()


# The context window and thinking


@pytest.mark.parametrize(
    ("options", "shown", "asked_for"),
    [
        ({}, {}, DEFAULT_WINDOW),
        ({}, {"model_info": {"llama.context_length": 2048}}, 2048),
        ({}, {"parameters": "num_ctx 32768"}, None),
        ({}, {"remote_model": "gpt-oss:120b"}, None),
        ({"num_ctx": 65536}, {"parameters": "num_ctx 32768"}, 65536),
        ({"num_ctx": 0}, {}, DEFAULT_WINDOW),
    ],
)
async def test_the_context_window_that_a_request_asks_for(
    fake: FakeOllama, options: dict[str, Any], shown: dict[str, Any], asked_for: int | None
) -> None:
    fake.shown["qwen3:8b"] = shown
    body = await sent(fake, options)
    assert body["options"].get("num_ctx") == asked_for if asked_for else "options" not in body
    assert (body["truncate"], body["shift"]) == (False, False)


@pytest.mark.parametrize("url", ["https://ollama.com", "https://ollama.com/api/"])
def test_ollama_com_gives_its_models_their_whole_window(url: str) -> None:
    provider = OllamaProvider(Credentials(url, {"api_key": Secret(KEY)}))
    assert provider._asked_for("qwen3-coder:480b", subject._Facts(trained=262144)) is None
    assert provider._window("qwen3-coder:480b", subject._Facts(trained=262144)) == 262144
    assert provider._window("qwen3-coder:480b", subject._Facts()) is None


async def test_thinking_is_asked_of_models_that_think(fake: FakeOllama) -> None:
    fake.shown["llama3.2:latest"] = {"capabilities": ["completion"]}
    fake.shown["qwen3:8b"] = {"capabilities": None}  # an older server: it has the last word
    thinking = {"reasoning": Reasoning("high")}
    assert (await sent(fake, {"num_ctx": 4096}, **thinking))["think"] is True
    assert "think" not in await sent(fake, {"num_ctx": 4096}, model="llama3.2:latest", **thinking)
    assert (await sent(fake, {"reasoning_effort": "none"}))["think"] is False


async def test_nothing_is_looked_up_where_nothing_is_asked(fake: FakeOllama) -> None:
    await sent(fake, {"num_ctx": 4096})
    assert fake.lookups == []


async def test_a_model_is_looked_up_once_for_many_requests_and_again_when_that_is_old(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = configured(fake, {})
    request = TestOllama().request(fake)
    await asyncio.gather(*(collected(provider, request) for _ in range(5)))
    assert len(fake.lookups) == 1
    monkeypatch.setattr(subject, "REMEMBERED_S", -1.0)
    await collected(provider, request)
    await provider.aclose()
    assert len(fake.lookups) == 2


async def test_a_look_up_that_fails_or_hangs_does_not_keep_the_answer(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "LOOKUP_WITHIN_S", 0.1)
    fake.hidden, fake.unanswered = {"qwen3:8b"}, {"llama3.2:latest"}
    for model in fake.models:
        assert (await sent(fake, {}, model=model))["options"]["num_ctx"] == DEFAULT_WINDOW


# The fake, read by the vendor's own client


def test_the_official_client_reads_the_same_from_the_fake(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    import ollama

    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    answer = Answer("Hello Alice", thinking="so so", calls=[Call("a", {"x": [1]}), Call("b")], tokens=Tokens(30, 12))
    fake.script(answer, Answer("one", error={"message": "runner died"}), Failure(404, {"error": "model 'x' not found"}))
    with ollama.Client(host=fake.base_url) as client:
        pieces = list(client.chat("qwen3:8b", [{"role": "user", "content": "Hi"}], stream=True))
        with pytest.raises(ollama.ResponseError, match="runner died"):
            list(client.chat("qwen3:8b", stream=True))
        with pytest.raises(ollama.ResponseError, match="model 'x' not found") as refused:
            list(client.chat("qwen3:8b", stream=True))
        listed, shown = client.list(), client.show("qwen3:8b")
    assert "".join(piece.message.content or "" for piece in pieces) == "Hello Alice"
    assert "".join(piece.message.thinking or "" for piece in pieces) == "so so"
    calls = [call.function for piece in pieces for call in piece.message.tool_calls or ()]
    assert [(call.name, call.arguments) for call in calls] == [("a", {"x": [1]}), ("b", {})]
    last = pieces[-1]
    assert (last.done, last.done_reason, last.prompt_eval_count, last.eval_count) == (True, "stop", 30, 12)
    assert not any(piece.done for piece in pieces[:-1])
    assert refused.value.status_code == 404
    assert [model.model for model in listed.models] == fake.models
    assert (shown.capabilities, shown.modelinfo["qwen3.context_length"]) == (["completion", "tools", "thinking"], 40960)


async def test_what_we_send_is_what_the_official_client_sends(fake: FakeOllama) -> None:
    from ollama._types import ChatRequest

    body = await sent(fake, {"temperature": 0.5, "keep_alive": "10m"}, tools=TOOLS, system="Be kind.", reasoning=Reasoning("low"))
    ours = {"truncate", "shift"}
    parsed = ChatRequest.model_validate(body)
    assert parsed.model_dump(exclude_none=True) == {key: value for key, value in body.items() if key not in ours}


@pytest.fixture
def fake() -> Iterator[FakeOllama]:
    with FakeOllama() as fake:
        yield fake


def lookups(fake: FakeVendor) -> list[Any]:
    assert isinstance(fake, FakeOllama)
    return list(fake.lookups)


def configured(fake: FakeVendor, options: dict[str, Any]) -> OllamaProvider:
    credentials = Credentials(fake.base_url, options=options)
    return OllamaProvider(credentials, egress=EgressPolicy(frozenset({fake.host})), timeouts=Timeouts())


async def listing(fake: FakeOllama, options: dict[str, Any] | None = None) -> Any:
    provider = configured(fake, options or {})
    try:
        return await provider.list_models()
    finally:
        await provider.aclose()


async def sent(fake: FakeOllama, options: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The body that the fake gets from a config with these options."""
    provider = configured(fake, options)
    try:
        await collected(provider, TestOllama().request(fake, **changes))
    finally:
        await provider.aclose()
    body = fake.calls[-1].body
    assert body is not None
    return body
