"""Google Gemini, against a server that speaks the Gemini API."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import (
    Credentials,
    Message,
    ModelRequest,
    RateLimited,
    Reasoning,
    Secret,
    Text,
    Thinking,
    Timeouts,
    Tool,
    Usage,
)
from llmconfig.net import EgressPolicy
from llmconfig.providers.gemini import GeminiProvider
from tests.fakes.gemini import FakeGemini, daily_quota
from tests.fakes.script import Answer, Call, Failure, Tokens
from tests.fakes.strict import seal
from tests.llmconfig.providers.contract import KEY, TOOLS, ProviderContract, collected, failure_of

if TYPE_CHECKING:
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor

LISTED = EgressPolicy(frozenset({"127.0.0.1:*"}))


def asked(**more: Any) -> ModelRequest:
    return ModelRequest(**{"model": "gemini-2.5-flash", "messages": (Message("user", (Text("Hi"),)),), **more})


class TestGemini(ProviderContract):
    provider_class = GeminiProvider
    fake_class = FakeGemini
    in_band = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
    quota = daily_quota()
    list_key = "models"
    row_key = "name"
    key_header = ("x-goog-api-key", KEY)
    refused_key_status = 400

    async def test_the_path_names_the_model(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.models += ["a/b?x", "mine"]
        for model, path in (
            ("gemini-2.5-flash", "models/gemini-2.5-flash"),
            ("models/gemini-2.5-flash", "models/gemini-2.5-flash"),
            ("tunedModels/mine", "tunedModels/mine"),
            ("a/b?x", "models/a%2Fb%3Fx"),
        ):
            await collected(provider, self.request(fake, model=model))
            assert fake.calls[-1].path == f"/v1beta/{path}:streamGenerateContent?alt=sse"

    @pytest.mark.parametrize("ending", ["/", "/v1beta", "/v1beta/"])
    async def test_a_base_url_with_its_version_means_the_same(self, fake: FakeVendor, ending: str) -> None:
        provider = self.build(fake, base_url=f"{fake.base_url}{ending}")
        await collected(provider, self.request(fake))
        await provider.aclose()
        assert fake.calls[0].path.startswith("/v1beta/models/")

    async def test_thinking_and_signatures_come_and_go_back(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(Answer("Four.", thinking="two and two", tokens=Tokens(input=30, output=20, reasoning=8)))
        answer = await collected(provider, self.request(fake, reasoning=Reasoning("low")))
        assert answer.usage == Usage(input_tokens=30, output_tokens=20, reasoning_tokens=8)
        message = answer.message()
        assert [type(part) for part in message.parts] == [Thinking, Text]
        assert fake.calls[0].body is not None
        assert fake.calls[0].body["generationConfig"]["thinkingConfig"] == {"includeThoughts": True, "thinkingLevel": "LOW"}
        await collected(provider, self.request(fake, messages=(Message("user", (Text("Hi"),)), message, Message("user", (Text("Why?"),)))))
        assert fake.calls[1].body is not None
        assert fake.calls[1].body["contents"][1]["parts"] == [
            {"text": "Four.", "thoughtSignature": seal("gemini", fake.models[0], "Four.")}
        ]

    async def test_a_quota_of_a_minute_passes(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.script(daily_quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"))
        error = await failure_of(collected(provider, self.request(fake)))
        assert (type(error), error.retry_after) == (RateLimited, 34)

    async def test_a_long_list_of_models_is_read_to_its_end(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.models = [f"gemini-3.{number}-flash" for number in range(2005)]
        models = await provider.list_models()
        assert [info.id for info in models] == fake.models
        assert models[0].label == "Gemini 3.0 Flash"
        assert (models[0].context_window, models[0].max_output_tokens) == (1_048_576, 65_536)
        assert models[0].capabilities is not None
        assert models[0].capabilities.thinking
        assert len(fake.requests) == 3

    async def test_a_list_that_never_ends_is_left(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.listing = Failure(200, {"models": [], "nextPageToken": "again"})
        assert await provider.list_models() == []
        assert len(fake.requests) == 2

    async def test_a_list_of_endless_pages_is_left_too(
        self, fake: FakeVendor, provider: StreamingProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("llmconfig.providers.gemini._MOST_PAGES", 2)
        fake.models = [f"gemini-3.{number}-flash" for number in range(3005)]
        assert len(await provider.list_models()) == 2000

    def test_what_takes_long_to_import_is_imported_ahead(self) -> None:
        GeminiProvider.preload()
        assert {"httpx2", "jwt"} <= sys.modules.keys()

    async def test_models_that_cannot_chat_are_left_out_of_the_list_but_not_refused(
        self, fake: FakeVendor, provider: StreamingProvider
    ) -> None:
        fake.models += ["gemini-2.5-flash-image", "gemini-2.5-flash-preview-tts"]
        assert [info.id for info in await provider.list_models()] == ["gemini-3-flash-preview", "gemini-2.5-flash"]
        assert "gemini-2.5-flash-image" in [info.id for info in await provider.check("gemini-2.5-flash-image")]
        assert len(await provider.check("models/gemini-2.5-flash")) == 2

    async def test_tokens_are_counted(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        counted = await provider.count_tokens(self.request(fake, tools=TOOLS, system="Be kind."))
        assert counted
        sent = fake.requests[-1]
        assert sent.path == "/v1beta/models/gemini-3-flash-preview:countTokens"
        assert sent.body is not None
        assert sent.body["generateContentRequest"].keys() >= {"model", "contents", "tools", "systemInstruction"}
        assert sent.body["generateContentRequest"]["model"] == "models/gemini-3-flash-preview"

    @pytest.mark.parametrize(("model", "native"), [("gemini-3-flash-preview", True), ("gemini-2.5-flash", False)])
    async def test_a_schema_beside_tools(self, fake: FakeVendor, provider: StreamingProvider, model: str, native: bool) -> None:
        fake.script(Answer(calls=[Call("respond_with_answer", {"n": 1})]) if not native else Answer('{"n": 1}'))
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        answer = await collected(provider, self.request(fake, model=model, tools=TOOLS, output_schema=schema))
        assert json.loads(answer.message().text) == {"n": 1}
        assert fake.calls[0].body is not None
        assert ("responseJsonSchema" in fake.calls[0].body["generationConfig"]) is native

    def test_what_models_can_by_their_names(self) -> None:
        of = GeminiProvider.capabilities_of
        assert (of("gemini-2.5-flash").thinking, of("gemini-2.0-flash").thinking, of("gemini-3.8-flash").thinking) == (True, False, True)
        assert of("models/gemma-3-27b-it").tools is False
        assert of("gemini-3-flash-preview").inputs == {"image", "document", "audio", "video"}


@pytest.mark.parametrize(
    ("secrets", "problem"), [((), "api_key"), (("api_key",), None), (("service_account",), None), (("service_account", "api_key"), None)]
)
def test_a_key_or_a_service_account_is_needed(secrets: tuple[str, ...], problem: str | None) -> None:
    found = GeminiProvider.credentials_problem(secrets, {})
    assert (found and found[0]) == problem


async def test_googles_own_client_reads_the_fake_as_we_do() -> None:
    from google import genai
    from google.genai import types

    declared = Tool("find", "Finds", {"type": "object", "properties": {"query": {"type": "string"}}})
    script = Answer(
        "Let me see.", thinking="two and two", calls=[Call("find", {"query": "ä"}, "fc1")], tokens=Tokens(30, 20, 7, reasoning=8)
    )
    with FakeGemini() as fake:
        fake.script(script, script)
        theirs = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=fake.base_url, api_version="v1beta"))
        chunks = list(
            theirs.models.generate_content_stream(
                model="gemini-2.5-flash",
                contents="Hi",
                config=types.GenerateContentConfig(
                    tools=[
                        types.Tool(
                            function_declarations=[types.FunctionDeclaration(name="find", parameters_json_schema=declared.input_schema)]
                        )
                    ],
                    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
                ),
            )
        )
        models = [model.name for model in theirs.models.list()]
        theirs.close()
        ours = GeminiProvider(Credentials(fake.base_url, {"api_key": Secret(KEY)}), egress=LISTED, timeouts=Timeouts())
        answer = await collected(ours, asked(tools=(declared,)))
        listed = [info.id for info in await ours.list_models()]
        await ours.aclose()
        sent, own = (call.body for call in fake.calls)
    parts = [part for chunk in chunks for candidate in chunk.candidates or () for part in candidate.content.parts]  # type: ignore[union-attr]
    message = answer.message()
    assert "".join(part.text for part in parts if part.text and not part.thought) == message.text == "Let me see."
    assert "".join(part.text for part in parts if part.text and part.thought) == "two and two"
    (call,), (made,) = [part.function_call for part in parts if part.function_call], message.tool_calls
    assert (call.name, call.args, call.id) == (made.name, made.arguments, made.provider_data.data["id"])  # type: ignore[union-attr]
    usage = chunks[-1].usage_metadata
    assert usage is not None
    assert usage.prompt_token_count == answer.usage.input_tokens + answer.usage.cache_read_tokens  # type: ignore[operator]
    assert (usage.cached_content_token_count, usage.thoughts_token_count) == (answer.usage.cache_read_tokens, answer.usage.reasoning_tokens)
    assert usage.candidates_token_count + usage.thoughts_token_count == answer.usage.output_tokens  # type: ignore[operator]
    assert str(chunks[-1].candidates[0].finish_reason.value) == answer.finish.raw  # type: ignore[index,union-attr]
    assert [str(name).removeprefix("models/") for name in models if "embedding" not in str(name)] == listed
    assert sent is not None
    assert own is not None
    assert sent["contents"] == own["contents"]
