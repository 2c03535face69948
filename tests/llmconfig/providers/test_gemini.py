"""Google Gemini, against a server that speaks the Gemini API and Vertex AI."""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from llmconfig.llm import (
    AuthenticationFailed,
    Credentials,
    InvalidRequest,
    Media,
    Message,
    ModelNotFound,
    ModelRequest,
    Overloaded,
    PermissionDenied,
    ProviderTimeout,
    ProviderUnavailable,
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
from llmconfig.providers.google_account import GoogleTokens, ServiceAccount
from llmconfig.providers.google_files import CHUNK
from llmconfig.providers.uploads import MediaLimits
from tests.fakes.gemini import FakeGemini, daily_quota
from tests.fakes.script import Answer, Call, Failure, Tokens
from tests.fakes.strict import seal
from tests.llmconfig.providers.contract import KEY, TOOLS, ProviderContract, collected, failure_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

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


class TestFiles:
    @pytest.fixture
    def fake(self) -> Iterator[FakeGemini]:
        with FakeGemini() as fake:
            yield fake

    @pytest.fixture
    async def provider(self, fake: FakeGemini, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GeminiProvider]:
        monkeypatch.setattr("llmconfig.providers.gemini.LIMITS", MediaLimits(inline_total=1000, each={"document": 50_000}))
        monkeypatch.setattr("llmconfig.providers.google_files.PAUSE_S", 0.0)
        provider = GeminiProvider(Credentials(fake.base_url, {"api_key": Secret(KEY)}), egress=LISTED)
        yield provider
        await provider.aclose()

    def request(self, *media: Media, **more: Any) -> Any:
        return asked(messages=(Message("user", (Text("See:"), *media)),), **more)

    async def test_what_is_too_large_is_uploaded_once_and_named(
        self, fake: FakeGemini, provider: GeminiProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("llmconfig.providers.google_files.CHUNK", 400)
        film, still = Media("video", "video/mp4", b"film" * 250, "film.mp4"), Media("image", "image/png", b"still")
        for _ in range(2):
            await collected(provider, self.request(film, still))
        (stored,) = fake.stored_files.values()
        assert (stored["bytes"], stored["mimeType"], stored["displayName"]) == (film.data, "video/mp4", "film.mp4")
        for call in fake.calls:
            assert call.body is not None
            _, first, second = call.body["contents"][0]["parts"]
            assert first == {"fileData": {"mimeType": "video/mp4", "fileUri": f"{fake.base_url}/v1beta/files/file1"}}
            assert "inlineData" in second
        pieces = [request for request in fake.requests if request.method == "UPLOAD"]
        assert [piece.headers["x-goog-upload-command"] for piece in pieces] == ["upload", "upload", "upload, finalize"]
        assert all(KEY not in str(piece.headers) for piece in pieces)

    def test_a_piece_is_what_google_takes(self) -> None:
        assert CHUNK % (256 * 1024) == 0

    async def test_it_is_deleted_with_the_client(self, fake: FakeGemini) -> None:
        provider = GeminiProvider(Credentials(fake.base_url, {"api_key": Secret(KEY)}), egress=LISTED)
        fake.looks = 0
        uri = await provider._files.upload(Media("video", "video/mp4", b""))  # type: ignore[union-attr]
        assert uri.endswith("/v1beta/files/file1")
        await provider._files.remove(uri)  # type: ignore[union-attr]
        await provider.aclose()
        assert fake.stored_files == {}

    async def test_one_that_google_has_lost_is_uploaded_anew(self, fake: FakeGemini, provider: GeminiProvider) -> None:
        film = Media("video", "video/mp4", b"film" * 250)
        await collected(provider, self.request(film))
        lost = fake.stored_files.pop("file1")
        fake.stored_files["other"] = lost
        await collected(provider, self.request(film))
        assert sorted(fake.stored_files) == ["file2", "other"]

    async def test_one_that_google_cannot_read(self, fake: FakeGemini, provider: GeminiProvider) -> None:
        fake.end_state = "FAILED"
        error = await failure_of(collected(provider, self.request(Media("video", "video/mp4", b"film" * 250, "film.mp4"))))
        assert type(error) is InvalidRequest
        assert error.detail == "Google Gemini could not read the video “film.mp4”: The video is damaged."

    async def test_one_that_is_never_ready(self, fake: FakeGemini, provider: GeminiProvider, monkeypatch: pytest.MonkeyPatch) -> None:
        fake.looks = 10**9
        monkeypatch.setattr("llmconfig.providers.google_files._READ_S", 0.2)
        error = await failure_of(collected(provider, self.request(Media("video", "video/mp4", b"film" * 250))))
        assert type(error) is ProviderTimeout
        assert error.detail == "Google Gemini has not finished reading the video after 0.2 s."

    @pytest.mark.parametrize("address", ["", "http://other.example/upload"])
    async def test_bytes_go_nowhere_else(self, fake: FakeGemini, provider: GeminiProvider, address: str) -> None:
        fake.listing = Failure(200, {}, {"x-goog-upload-url": address})
        error = await failure_of(collected(provider, self.request(Media("video", "video/mp4", b"film" * 250))))
        assert type(error) is ProviderUnavailable
        assert "answered, but not as" in error.detail

    async def test_a_file_without_an_address(self, fake: FakeGemini, provider: GeminiProvider, monkeypatch: pytest.MonkeyPatch) -> None:
        complete = fake._file
        monkeypatch.setattr(fake, "_file", lambda file: {**complete(file), "uri": ""})
        assert type(await failure_of(collected(provider, self.request(Media("video", "video/mp4", b"film" * 250))))) is ProviderUnavailable


_PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any = _PRIVATE) -> str:
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode()


def account(fake: FakeGemini, **changes: Any) -> str:
    row = {
        "type": "service_account",
        "project_id": "acme-123",
        "private_key_id": "kid-1",
        "private_key": pem(),
        "client_email": "agent@acme-123.iam.gserviceaccount.com",
        "token_uri": f"{fake.base_url}/token",
    }
    return json.dumps({**row, **changes})


class TestVertex:
    @pytest.fixture
    def fake(self) -> Iterator[FakeGemini]:
        with FakeGemini() as fake:
            yield fake

    def build(self, fake: FakeGemini, secret: str = "", *, egress: EgressPolicy = LISTED, **options: Any) -> GeminiProvider:
        secrets = {"service_account": Secret(secret or account(fake))}
        return GeminiProvider(Credentials(fake.base_url, secrets, {"location": "europe-west4", **options}), egress=egress)

    @pytest.fixture
    async def provider(self, fake: FakeGemini) -> AsyncIterator[GeminiProvider]:
        provider = self.build(fake)
        yield provider
        await provider.aclose()

    def request(self, **more: Any) -> Any:
        return asked(**more)

    async def test_an_answer_by_a_signed_statement(self, fake: FakeGemini, provider: GeminiProvider) -> None:
        await collected(provider, self.request())
        (call,) = fake.calls
        assert (
            call.path
            == "/v1/projects/acme-123/locations/europe-west4/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
        )
        assert call.headers["Authorization"] == "Bearer ya29.c.fake-token-1"
        assert "x-goog-api-key" not in {name.lower() for name in call.headers}
        (exchange,) = fake.exchanges
        assert exchange["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert exchange.keys() == {"grant_type", "assertion"}
        claims = jwt.decode(exchange["assertion"], _PRIVATE.public_key(), ["RS256"], audience=f"{fake.base_url}/token")
        assert claims["iss"] == "agent@acme-123.iam.gserviceaccount.com"
        assert claims["exp"] - claims["iat"] == 3600
        assert jwt.get_unverified_header(exchange["assertion"])["kid"] == "kid-1"

    async def test_one_exchange_for_all_who_wait(self, fake: FakeGemini, provider: GeminiProvider) -> None:
        await asyncio.gather(*(collected(provider, self.request()) for _ in range(20)))
        assert (len(fake.calls), len(fake.exchanges)) == (20, 1)

    async def test_a_token_is_kept_until_it_nearly_expires(self, fake: FakeGemini, provider: GeminiProvider) -> None:
        fake.token_lifetime = 59
        for _ in range(2):
            await collected(provider, self.request())
        assert len(fake.exchanges) == 2

    async def test_a_token_that_was_refused_is_fetched_anew(self, fake: FakeGemini, provider: GeminiProvider) -> None:
        fake.script(Failure(401))
        error = await failure_of(collected(provider, self.request()))
        assert type(error) is AuthenticationFailed
        await collected(provider, self.request())
        assert [call.headers["Authorization"] for call in fake.calls] == ["Bearer ya29.c.fake-token-1", "Bearer ya29.c.fake-token-2"]

    @pytest.mark.parametrize(
        ("secret", "says"),
        [
            ("not json", "This is not the key of a service account."),
            ("[" * 100_000, "This is not the key of a service account."),
            ('{"type": "authorized_user", "client_email": "a", "private_key": "PRIVATE KEY"}', "This is not the key of a service account."),
            ('{"type": "service_account", "client_email": "a", "private_key": "x"}', "This is not the key of a service account."),
        ],
    )
    async def test_what_is_no_service_account(self, fake: FakeGemini, secret: str, says: str) -> None:
        provider = self.build(fake, secret)
        for attempt in (provider.check(), collected(provider, self.request())):
            error = await failure_of(attempt)
            assert type(error) is AuthenticationFailed
            assert error.detail.startswith(says)
        await provider.aclose()
        assert fake.requests == []

    @pytest.mark.parametrize(
        "key",
        ["-----BEGIN PRIVATE KEY-----\nlemonade\n-----END PRIVATE KEY-----", pem(ec.generate_private_key(ec.SECP256R1()))],
        ids=["no key", "elliptic"],
    )
    async def test_a_private_key_that_signs_nothing(self, fake: FakeGemini, key: str) -> None:
        provider = self.build(fake, account(fake, private_key=key))
        error = await failure_of(provider.check())
        await provider.aclose()
        assert type(error) is AuthenticationFailed
        assert error.detail.startswith("The private key of the service account cannot be read.")
        assert "lemonade" not in "".join(traceback.format_exception(error))

    @pytest.mark.parametrize(
        ("uri", "says"),
        [
            ("http://oauth2.example.com/token", "It must begin with https://."),
            ("ftp://x/token", "must begin with https:// or http://"),
            ("http://169.254.169.254/token", "metadata"),
            ("http://127.0.0.1:1/token", "private address"),
        ],
    )
    async def test_a_token_address_is_judged_before_anything_goes_there(self, fake: FakeGemini, uri: str, says: str) -> None:
        egress = EgressPolicy(frozenset({fake.host}))
        provider = self.build(fake, account(fake, token_uri=uri), egress=egress)
        error = await failure_of(provider.check())
        await provider.aclose()
        assert type(error) is AuthenticationFailed
        assert says in error.detail

    @pytest.mark.parametrize(
        ("answer", "expected", "says"),
        [
            (
                Failure(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
                AuthenticationFailed,
                "Invalid JWT Signature.",
            ),
            (Failure(401, "no"), AuthenticationFailed, "Google refused the service account (401)."),
            (Failure(429, "", {"retry-after": "3"}), RateLimited, "asks to slow down"),
            (Failure(503, ""), Overloaded, "is overloaded"),
            (Failure(200, {"access_token": ""}), ProviderUnavailable, "answered, but not as Google's sign-in does."),
        ],
    )
    async def test_a_sign_in_that_fails(
        self, fake: FakeGemini, provider: GeminiProvider, answer: Failure, expected: type[Exception], says: str
    ) -> None:
        fake.exchange = answer
        error = await failure_of(collected(provider, self.request()))
        assert type(error) is expected
        assert says in error.detail
        assert error.__context__ is None
        assert fake.calls == []

    async def test_a_sign_in_that_is_not_there(self, fake: FakeGemini) -> None:
        provider = self.build(fake, account(fake, token_uri="http://127.0.0.1:9/token"))
        error = await failure_of(collected(provider, self.request()))
        await provider.aclose()
        assert type(error) is ProviderUnavailable
        assert "could not reach 127.0.0.1:9" in error.detail

    async def test_a_bug_of_ours_is_not_called_a_failure_of_theirs(self, fake: FakeGemini, monkeypatch: pytest.MonkeyPatch) -> None:
        provider = self.build(fake)
        monkeypatch.setattr("llmconfig.providers.access_tokens.read_document", None)
        with pytest.raises(TypeError):
            await provider.check()
        await provider.aclose()

    async def test_no_secret_shows_in_an_error(self, fake: FakeGemini, provider: GeminiProvider) -> None:
        await collected(provider, self.request())
        line = " ".join(pem().split())
        for echoed in (pem(), line, "ya29.c.fake-token-1"):
            fake.script(Failure(400, {"error": {"message": f"Trouble with {echoed}", "status": "INVALID_ARGUMENT"}}))
            error = await failure_of(collected(provider, self.request()))
            shown = "".join((error.message, repr(provider), *traceback.format_exception(error)))
            assert "Trouble with" in shown
            assert "fake-token" not in shown
            assert line[40:80] not in shown

    async def test_check_asks_for_the_model_itself(self, fake: FakeGemini, provider: GeminiProvider) -> None:
        assert [info.id for info in await provider.check()] == fake.models
        assert [info.id for info in await provider.check("gemini-2.5-flash")] == fake.models
        assert fake.requests[-1].path.endswith("/publishers/google/models/gemini-2.5-flash:countTokens")
        fake.models.append("12345")
        assert [info.id for info in await provider.check("endpoints/12345")][-1] == "endpoints/12345"
        assert fake.requests[-1].path == "/v1/projects/acme-123/locations/europe-west4/endpoints/12345:countTokens"
        assert type(await failure_of(provider.check("gemini-9"))) is ModelNotFound
        fake.key = "another"
        assert type(await failure_of(provider.check("gemini-9"))) is AuthenticationFailed

    async def test_a_list_that_is_closed_is_no_hindrance(self, fake: FakeGemini, provider: GeminiProvider) -> None:
        fake.listing = Failure(403)
        assert [info.id for info in await provider.check("gemini-2.5-flash")] == ["gemini-2.5-flash"]
        assert type(await failure_of(provider.check())) is PermissionDenied

    async def test_a_refused_count_is_told_as_it_is(
        self, fake: FakeGemini, provider: GeminiProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fake, "_unknown", lambda _: fake.failure(Failure(400, fake.error_body(400, "No such place"))))
        error = await failure_of(provider.check("gemini-2.5-flash"))
        assert type(error) is InvalidRequest
        assert "No such place" in error.detail

    async def test_tokens_are_counted(self, fake: FakeGemini, provider: GeminiProvider) -> None:
        assert await provider.count_tokens(self.request(tools=TOOLS))
        assert fake.requests[-1].body is not None
        assert fake.requests[-1].body.keys() >= {"contents", "tools"}

    @pytest.mark.parametrize("options", [{"project": "a/b"}, {"location": "evil.example/#"}, {"location": "EU"}, {"project": "x?y"}])
    async def test_what_is_no_project_or_location(self, fake: FakeGemini, options: dict[str, str]) -> None:
        provider = self.build(fake, **options)
        for attempt in (provider.check(), collected(provider, self.request())):
            assert type(await failure_of(attempt)) is InvalidRequest
        await provider.aclose()
        assert fake.requests == []

    async def test_a_project_is_needed(self, fake: FakeGemini) -> None:
        provider = self.build(fake, account(fake, project_id=None))
        assert "needs a project" in (await failure_of(provider.check())).detail
        await provider.aclose()
        named = self.build(fake, account(fake, project_id=None), project="mine-1")
        await collected(named, self.request())
        await named.aclose()
        assert fake.calls[0].path.startswith("/v1/projects/mine-1/locations/")

    @pytest.mark.parametrize(
        ("location", "url"),
        [
            ("global", "https://aiplatform.googleapis.com"),
            ("", "https://aiplatform.googleapis.com"),
            ("eu", "https://aiplatform.eu.rep.googleapis.com"),
            ("europe-west4", "https://europe-west4-aiplatform.googleapis.com"),
            ("evil.example/#", "https://generativelanguage.googleapis.com"),
        ],
    )
    async def test_the_location_is_an_address_of_googles(self, fake: FakeGemini, location: str, url: str) -> None:
        secrets = {"service_account": Secret(account(fake))}
        provider = GeminiProvider(Credentials(GeminiProvider.default_base_url, secrets, {"location": location}))
        assert provider.base_url == url
        await provider.aclose()

    async def test_an_express_key(self) -> None:
        provider = GeminiProvider(Credentials("https://aiplatform.googleapis.com", {"api_key": Secret(KEY)}, {"location": "global"}))
        path = provider._answer_path(self.request())
        assert path == "/v1/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
        assert await provider._headers() == {"x-goog-api-key": KEY}
        assert provider._uploads is None
        await provider.aclose()

    async def test_media_stay_inline(self, fake: FakeGemini, provider: GeminiProvider) -> None:
        assert provider._uploads is None
        await collected(provider, self.request(messages=(Message("user", (Media("image", "image/png", b"x"),)),)))
        assert fake.calls[0].body is not None
        assert "inlineData" in fake.calls[0].body["contents"][0]["parts"][0]

    def test_a_token_already_replaced_is_not_forgotten(self) -> None:
        tokens = GoogleTokens(None, ServiceAccount("a", Secret(""), "", "https://x/token", ""), LISTED)  # type: ignore[arg-type]
        tokens._token = Secret("new")
        tokens.forget(Secret("old"))
        assert tokens._token == Secret("new")


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
