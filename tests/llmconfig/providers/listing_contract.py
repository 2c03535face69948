"""What every provider's list of models and its test button must do. Part of `contract.ProviderContract`, which has the fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from llmconfig.llm import ModelInfo, ModelNotFound, ProviderUnavailable
from tests.fakes.script import Failure
from tests.llmconfig.providers.asking import failure_of

if TYPE_CHECKING:
    from llmconfig.providers.base import StreamingProvider
    from tests.fakes.server import FakeVendor


class ListingContract:
    list_key: ClassVar[str] = "data"
    row_key: ClassVar[str] = "id"
    """Where the vendor's list of models lies in its page, and a row's name in the row."""
    unsaid: ClassVar[dict[str, Any]] = {}
    """What is taken for granted of a model whose row says nothing but its name: fields of `ModelInfo`."""

    async def test_check_lists_the_models(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        assert [info.id for info in await provider.check()] == fake.models
        assert [info.id for info in await provider.check(fake.models[1])] == fake.models

    @pytest.mark.parametrize("body", ["[" * 100_000, '{"LIST": []}' + " " * 2000], ids=["deep", "long"])
    async def test_no_list_of_models_is_read_beyond_reason(
        self, fake: FakeVendor, provider: StreamingProvider, body: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = body.replace("LIST", self.list_key)
        if body.endswith(" "):
            monkeypatch.setattr("llmconfig.providers.bodies.MAX_BODY_BYTES", 1000)
        fake.listing = Failure(200, body)
        error = await failure_of(provider.list_models())
        assert type(error) is ProviderUnavailable
        assert "answered, but not as" in error.detail

    @pytest.mark.parametrize("body", ["{}", '{"LIST": null}', '{"LIST": "abc"}', '{"error": {"message": "no"}}'])
    async def test_what_is_no_list_of_models(self, fake: FakeVendor, provider: StreamingProvider, body: str) -> None:
        fake.listing = Failure(200, body.replace("LIST", self.list_key))
        assert type(await failure_of(provider.check())) is ProviderUnavailable

    async def test_odd_rows_of_a_list_of_models(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        odd = {"display_name": {"x": 1}, "name": [], "max_input_tokens": "1", "max_model_len": True}
        key = self.row_key
        rows = [{key: 5}, {key: {"x": 1}}, None, {**odd, key: "one\0\ud800"}]
        fake.listing = Failure(200, {self.list_key: rows, "has_more": True, "last_id": 7})
        assert await provider.check() == [ModelInfo("one\ufffd", **self.unsaid)]

    async def test_check_finds_an_alias(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        fake.aliases["latest"] = fake.models[0]
        assert "latest" in [info.id for info in await provider.check("latest")]

    async def test_check_of_a_model_that_does_not_exist(self, fake: FakeVendor, provider: StreamingProvider) -> None:
        error = await failure_of(provider.check("no-such-model"))
        assert type(error) is ModelNotFound
        assert "'no-such-model'" in error.detail
