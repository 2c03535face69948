"""Gemini on Vertex AI, with a service account, against a server that speaks both."""

from __future__ import annotations

import asyncio
import json
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
    Overloaded,
    PermissionDenied,
    ProviderUnavailable,
    RateLimited,
    Secret,
)
from llmconfig.net import EgressPolicy
from llmconfig.providers.gemini import GeminiProvider
from llmconfig.providers.google_account import GoogleTokens, ServiceAccount
from tests.fakes.gemini import FakeGemini
from tests.fakes.script import Failure
from tests.llmconfig.providers.contract import KEY, TOOLS, collected, failure_of
from tests.llmconfig.providers.test_gemini import LISTED, asked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


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
