"""Azure OpenAI, against a server that speaks both API styles and hands out Entra ID's tokens."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import (
    AuthenticationFailed,
    Capabilities,
    ContentFiltered,
    Credentials,
    FinishReason,
    InvalidRequest,
    Media,
    Message,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Secret,
    StreamInterrupted,
    Text,
    Timeouts,
)
from llmconfig.net import EgressPolicy
from llmconfig.providers.azure_openai import AzureOpenAIProvider
from tests.fakes.azure import SECRET, TOKEN, FakeAzure
from tests.fakes.script import Answer, Failure
from tests.llmconfig.providers.contract import KEY, ProviderContract, collected, failure_of

if TYPE_CHECKING:
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor

DEPLOYMENTS = {
    "chat-large": {"model": "gpt-5.1", "context_window": 300_000, "max_output_tokens": 9_000, "inputs": ["image"]},
    "chat-small": "gpt-4o-mini",
}


def made(fake: FakeVendor, *, secrets: dict[str, str] | None = None, timeouts: Timeouts = Timeouts(), base_url: str = "", **options: Any):  # noqa: B008
    given = {name: Secret(text) for name, text in (secrets or {"api_key": KEY}).items()}
    credentials = Credentials(base_url or fake.base_url, given, {"deployments": DEPLOYMENTS, **options})
    return AzureOpenAIProvider(credentials, egress=EgressPolicy(frozenset({"127.0.0.1:*"})), timeouts=timeouts)


def with_entra(fake: FakeVendor, secret: str = SECRET, **options: Any) -> AzureOpenAIProvider:
    named = {"tenant_id": "tenant-1", "client_id": "client-1", "authority": fake.base_url}
    return made(fake, secrets={"client_secret": secret}, **{**named, **options})


class TestAzureOpenAI(ProviderContract):
    provider_class = AzureOpenAIProvider
    fake_class = FakeAzure
    in_band = {"code": "server_error", "message": "The server had an error"}
    quota = Failure(429, {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}})

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
        credentials = Credentials(base_url or fake.base_url, {"api_key": Secret(key)}, {"deployments": DEPLOYMENTS})
        return AzureOpenAIProvider(credentials, egress=policy, timeouts=timeouts)

    async def test_the_key_goes_in_its_header_and_nothing_of_the_environment_with_it(
        self, fake: FakeVendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in (
            "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION", "OPENAI_API_KEY",
            "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_BASE_URL", "OPENAI_ADMIN_KEY",
        ):  # fmt: skip
            monkeypatch.setenv(name, "operators-own")
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "api-key: operators-own\nAuthorization: Bearer operators-own")
        provider = self.build(fake)
        await collected(provider, self.request(fake))
        await provider.aclose()
        [request] = fake.requests
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert headers["api-key"] == KEY
        assert "authorization" not in headers
        assert "operators-own" not in str((request.headers, request.path))
        assert request.path == "/openai/v1/responses"

    # Its list is what the config says

    async def test_an_answer_that_cannot_be_unpacked(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        packed = {"content-encoding": "gzip"}
        fake.script(Failure(200, "no gzip", packed), Failure(401, "no gzip", packed))
        assert type(await failure_of(collected(provider, self.request(fake)))) is StreamInterrupted
        assert type(await failure_of(collected(provider, self.request(fake)))) is ProviderUnavailable

    async def test_check_lists_the_models(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        assert [info.id for info in await provider.check()] == fake.models
        assert [info.id for info in await provider.check(fake.models[1])] == fake.models
        assert [(call.body or {})["model"] for call in fake.calls] == fake.models, "the named one is asked for a word, else the first"

    async def test_no_list_of_models_is_read_beyond_reason(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        await provider.list_models()
        assert fake.requests == []

    async def test_what_is_no_list_of_models(self, fake: FakeVendor) -> None:
        provider = made(fake, deployments={})
        error = await failure_of(provider.check())
        await provider.aclose()
        assert type(error) is InvalidRequest
        assert "Name one" in error.message

    async def test_odd_rows_of_a_list_of_models(self, fake: FakeVendor) -> None:
        provider = made(fake, deployments={"a": 5, "b": {}, "c": {"model": None, "inputs": "image"}, "d": "gpt-4o"})
        assert [(info.id, info.label) for info in await provider.list_models()] == [("c", "c"), ("d", "gpt-4o")]
        await provider.aclose()


@pytest.fixture
def fake():
    with FakeAzure() as fake:
        yield fake


def ask(*parts: Any, model: str = "chat-large", **more: Any):
    from llmconfig.llm import ModelRequest

    return ModelRequest(model, (Message("user", parts or (Text("Hi"),)),), **more)


class TestTheModelBehindADeployment:
    def test_its_name_and_what_is_stated(self) -> None:
        options = {"deployments": DEPLOYMENTS}
        assert AzureOpenAIProvider.underlying_model("chat-large", options) == "gpt-5.1"
        assert AzureOpenAIProvider.underlying_model("chat-small", options) == "gpt-4o-mini"
        assert AzureOpenAIProvider.underlying_model("other", options) == "other"
        assert AzureOpenAIProvider.underlying_model("other", {}) == "other"
        stated = AzureOpenAIProvider.stated("chat-large", options)
        assert stated is not None
        assert (stated.label, stated.context_window, stated.max_output_tokens) == ("gpt-5.1", 300_000, 9_000)
        assert stated.capabilities == Capabilities(thinking=True, structured_output=True, inputs=frozenset({"image"}))
        assert AzureOpenAIProvider.stated("other", options) is None

    @pytest.mark.parametrize(
        ("model", "thinks", "sees"),
        [
            ("gpt-4o", False, True),
            ("gpt-4", False, False),
            ("gpt-35-turbo", False, False),
            ("o3-mini", True, False),
            ("gpt-5.1", True, True),
        ],
    )
    def test_what_it_can_do_by_its_name(self, model: str, thinks: bool, sees: bool) -> None:
        known = AzureOpenAIProvider.capabilities_of(model)
        assert (known.thinking, "image" in known.inputs) == (thinks, sees)

    @pytest.mark.parametrize(("deployment", "behind", "asked"), [("gpt-4o", "o4-mini", True), ("o4-mini", "gpt-4o", False)])
    async def test_whether_reasoning_is_asked_for_depends_on_the_model_and_not_on_the_name(
        self, fake: FakeAzure, deployment: str, behind: str, asked: bool
    ) -> None:
        fake.models = [deployment]
        provider = made(fake, deployments={deployment: behind})
        await collected(provider, ask(model=deployment))
        await provider.aclose()
        assert ("include" in (fake.calls[0].body or {})) is asked


class TestStyles:
    @pytest.mark.parametrize(
        ("style", "path"),
        [
            ("v1", "/openai/v1/responses"),
            ("v1_chat", "/openai/v1/chat/completions"),
            ("classic", "/openai/deployments/chat-large/chat/completions?api-version=2024-10-21"),
        ],
    )
    @pytest.mark.parametrize("ending", ["", "/", "/openai", "/openai/v1/", "/openai/deployments/x/chat/completions?api-version=1"])
    async def test_paths(self, fake: FakeAzure, style: str, path: str, ending: str) -> None:
        provider = made(fake, base_url=fake.base_url + ending, api_style=style, api_version="2024-10-21")
        fake.script(Answer("Hello"))
        answer = await collected(provider, ask())
        await provider.aclose()
        assert answer.message().text == "Hello"
        assert fake.calls[0].path == path

    async def test_a_gateway_keeps_its_path(self, fake: FakeAzure) -> None:
        provider = made(fake, base_url=f"{fake.base_url}/team/openai/v1")
        assert str(provider._client.base_url) == f"{fake.base_url}/team/openai/"
        await provider.aclose()

    @pytest.mark.parametrize(("model", "limit"), [("chat-large", "max_completion_tokens"), ("chat-small", "max_tokens")])
    async def test_the_limit_of_an_answer_on_chat(self, fake: FakeAzure, model: str, limit: str) -> None:
        provider = made(fake, api_style="classic", api_version="2024-10-21")
        await collected(provider, ask(model=model, max_output_tokens=500))
        await provider.aclose()
        assert {name: value for name, value in (fake.calls[0].body or {}).items() if name.startswith("max")} == {limit: 500}

    async def test_chat_takes_no_documents_here(self, fake: FakeAzure) -> None:
        document = Media("document", "application/pdf", b"%PDF", name="a.pdf")
        for style, refused in (("classic", True), ("v1_chat", True), ("v1", False)):
            provider = made(fake, api_style=style, api_version="2024-10-21", deployments={})
            attempt = collected(provider, ask(document))
            if refused:
                assert "a.pdf" in (await failure_of(attempt)).detail
            else:
                await attempt
            await provider.aclose()
        assert len(fake.calls) == 1

    async def test_filter_results_come_in_chunks_without_choices(self, fake: FakeAzure, monkeypatch: pytest.MonkeyPatch) -> None:
        """Bug 13 of wire.md, as the asynchronous filter sends them."""
        frames = [
            b'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}\n\n',
            b'data: {"choices":null}\n\n',
            b'data: {"choices":[{"content_filter_offsets":{"check_offset":44},"content_filter_results":{},"index":0}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}\n\n',
            b"data: [DONE]\n\n",
        ]
        monkeypatch.setattr(fake, "frames", lambda *_: iter(frames))
        provider = made(fake, api_style="v1_chat")
        fake.script(Answer(""))
        answer = await collected(provider, ask())
        await provider.aclose()
        assert answer.message().text == "Hello"
        assert answer.finish is not None
        assert answer.finish.reason is FinishReason.CONTENT_FILTER


class TestRefusals:
    @pytest.fixture
    async def provider(self, fake: FakeAzure):
        provider = made(fake)
        yield provider
        await provider.aclose()

    async def test_the_content_filter(self, fake: FakeAzure, provider: AzureOpenAIProvider) -> None:
        error = {
            "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {
                    "hate": {"filtered": True, "severity": "high"},
                    "jailbreak": {"filtered": False, "detected": False},
                },
            },
        }
        fake.script(Failure(400, {"error": error}))
        assert type(await failure_of(collected(provider, ask()))) is ContentFiltered

    async def test_a_deployment_that_does_not_exist(self, fake: FakeAzure, provider: AzureOpenAIProvider) -> None:
        error = await failure_of(collected(provider, ask(model="nope")))
        assert type(error) is ModelNotFound
        assert "Check the name of the deployment (not of its model)" in error.detail
        assert "the API style (v1)" in error.detail

    async def test_too_many_requests(self, fake: FakeAzure, provider: AzureOpenAIProvider) -> None:
        message = (
            "Your requests to gpt-5.1 have exceeded token rate limit for your current AIServices S0 pricing tier. Retry after 17 seconds."
        )
        fake.script(Failure(429, {"error": {"code": "RateLimitReached", "message": message}}, {"retry-after": "17"}))
        error = await failure_of(collected(provider, ask()))
        assert (type(error), error.retry_after) == (RateLimited, 17)

    async def test_an_application_without_its_role(self, fake: FakeAzure, provider: AzureOpenAIProvider) -> None:
        fake.script(Failure(401, {"error": {"code": "PermissionDenied", "message": "The principal `x` lacks the required data action"}}))
        assert type(await failure_of(collected(provider, ask()))) is PermissionDenied


class TestEntra:
    async def test_one_exchange_for_many_requests(self, fake: FakeAzure) -> None:
        provider = with_entra(fake)
        await asyncio.gather(*(collected(provider, ask()) for _ in range(8)))
        await provider.aclose()
        [exchange] = fake.exchanges
        assert exchange.path == "/tenant-1/oauth2/v2.0/token"
        assert exchange.body == {
            "grant_type": "client_credentials",
            "client_id": "client-1",
            "client_secret": SECRET,
            "scope": "https://cognitiveservices.azure.com/.default",
        }
        for request in fake.calls:
            headers = {name.lower(): value for name, value in request.headers.items()}
            assert headers["authorization"] == f"Bearer {TOKEN}-1"
            assert "api-key" not in headers
        assert len(fake.calls) == 8

    @pytest.mark.parametrize(("lifetime", "exchanges"), [(59, 2), (61, 1)])
    async def test_a_token_is_renewed_a_minute_before_it_expires(self, fake: FakeAzure, lifetime: int, exchanges: int) -> None:
        fake.expires_in = lifetime
        provider = with_entra(fake)
        for _ in range(2):
            await collected(provider, ask())
        await provider.aclose()
        assert len(fake.exchanges) == exchanges

    async def test_a_token_that_is_refused_is_not_used_again(self, fake: FakeAzure) -> None:
        provider = with_entra(fake)
        fake.script(Failure(401, {"error": {"code": "401", "message": "The token was revoked"}}))
        assert type(await failure_of(collected(provider, ask()))) is AuthenticationFailed
        await collected(provider, ask())
        await provider.aclose()
        assert len(fake.exchanges) == 2

    async def test_wrong_credentials_in_words(self, fake: FakeAzure) -> None:
        provider = with_entra(fake, secret="wrong-lemonade-stand")
        error = await failure_of(provider.check())
        await provider.aclose()
        assert type(error) is AuthenticationFailed
        assert error.detail.startswith(
            "Microsoft Entra ID refused the tenant ID, client ID or client secret (401): AADSTS7000215: Invalid client"
        )
        assert "Trace ID" not in error.detail
        assert fake.calls == []

    @pytest.mark.parametrize("where", ["entra", "azure", "stream"])
    async def test_neither_secret_nor_token_shows_in_an_error(self, fake: FakeAzure, where: str) -> None:
        told = f"Not good: {SECRET} and {TOKEN}-1"
        provider = with_entra(fake)
        if where == "entra":
            fake.exchange = Failure(400, {"error": "invalid_request", "error_description": told})
        else:
            fake.script(Failure(400, {"error": {"message": told}}) if where == "azure" else Answer("x", error={"message": told}))
        error = await failure_of(collected(provider, ask()))
        await provider.aclose()
        assert "Not good" in error.detail
        shown = "".join((*traceback.format_exception(error), repr(provider), str(vars(error))))
        assert SECRET not in shown
        assert (f"{TOKEN}-1" in shown) is (where == "entra")  # a token that it has never handed out is a word like any other

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (Failure(400, {"error": "invalid_request", "error_description": "AADSTS90002: Tenant 'x' not found."}), AuthenticationFailed),
            (Failure(401, "<html>"), AuthenticationFailed),
            (Failure(429, {}, {"retry-after": "3"}), RateLimited),
            (Failure(503, "<html>"), Overloaded),
            (Failure(307, "", {"location": "https://elsewhere.example"}), AuthenticationFailed),
            (Failure(200, "<html>"), ProviderUnavailable),
            (Failure(200, {"access_token": "t"}), ProviderUnavailable),
            (Failure(200, {"access_token": 5, "expires_in": 9}), ProviderUnavailable),
            (Failure(200, {"access_token": "t", "expires_in": -9}), ProviderUnavailable),
            (Failure(200, {"access_token": "t\r\nx-other: 1", "expires_in": 9}), ProviderUnavailable),
            (Failure(200, {"access_token": "t\u2028é", "expires_in": 9}), ProviderUnavailable),
            (Failure(200, {"access_token": "t" * 20_000, "expires_in": 9}), ProviderUnavailable),
        ],
    )
    async def test_what_entra_may_answer(self, fake: FakeAzure, answer: Failure, expected: type[ProviderError]) -> None:
        fake.exchange = answer
        provider = with_entra(fake)
        error = await failure_of(collected(provider, ask()))
        await provider.aclose()
        assert type(error) is expected
        assert fake.calls == []

    @pytest.mark.parametrize("lifetime", ["3599", 10**400], ids=["text", "endless"])
    async def test_a_lifetime_as_a_text_or_beyond_all_bounds(self, fake: FakeAzure, lifetime: Any) -> None:
        fake.expires_in = lifetime
        provider = with_entra(fake)
        for _ in range(2):
            await collected(provider, ask())
        await provider.aclose()
        assert len(fake.exchanges) == 1

    async def test_a_sign_in_that_is_not_there_is_named(self, fake: FakeAzure) -> None:
        provider = with_entra(fake, authority="http://127.0.0.1:9")
        error = await failure_of(collected(provider, ask()))
        await provider.aclose()
        assert error.detail == "routekit could not reach 127.0.0.1:9: connection refused."

    async def test_the_secret_goes_nowhere_unencrypted(self, fake: FakeAzure) -> None:
        provider = with_entra(fake, authority="http://sign-in.example.com")
        error = await failure_of(collected(provider, ask()))
        await provider.aclose()
        assert type(error) is AuthenticationFailed
        assert error.detail == "The sign-in address cannot be used. It must begin with https://."

    @pytest.mark.parametrize(
        ("authority", "cloud"),
        [("https://login.microsoftonline.us/", "us"), ("https://login.partner.microsoftonline.cn", "cn"), ("", "com")],
    )
    async def test_sovereign_clouds(self, fake: FakeAzure, authority: str, cloud: str) -> None:
        provider = with_entra(fake, authority=authority)
        assert provider._entra is not None
        assert provider._entra._scope == f"https://cognitiveservices.azure.{cloud}/.default"
        assert provider._entra._url.startswith((authority or "https://login.microsoftonline.com").rstrip("/") + "/tenant-1/oauth2")
        await provider.aclose()


@pytest.mark.parametrize(
    ("secrets", "options", "field"),
    [
        ({"api_key"}, {}, None),
        ({"client_secret"}, {"tenant_id": "t", "client_id": "c"}, None),
        ({"api_key", "client_secret"}, {}, None),
        (set(), {}, "api_key"),
        ({"client_secret"}, {}, "tenant_id"),
        ({"client_secret"}, {"tenant_id": "t"}, "client_id"),
        ({"api_key"}, {"tenant_id": "t", "client_id": "c"}, "client_secret"),
        ({"api_key"}, {"client_id": "c"}, "tenant_id"),
    ],
)
def test_a_key_or_an_application(secrets: set[str], options: dict[str, str], field: str | None) -> None:
    problem = AzureOpenAIProvider.credentials_problem(secrets, options)
    assert (problem and problem[0]) == field
