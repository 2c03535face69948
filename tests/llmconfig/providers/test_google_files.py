"""Gemini's store of files, against a server that speaks its resumable uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import (
    Credentials,
    InvalidRequest,
    Media,
    Message,
    ProviderTimeout,
    ProviderUnavailable,
    Secret,
    Text,
)
from llmconfig.providers.gemini import GeminiProvider
from llmconfig.providers.google_files import CHUNK
from llmconfig.providers.uploads import MediaLimits
from tests.fakes.gemini import FakeGemini
from tests.fakes.script import Failure
from tests.llmconfig.providers.contract import KEY, collected, failure_of
from tests.llmconfig.providers.test_gemini import LISTED, asked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


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
