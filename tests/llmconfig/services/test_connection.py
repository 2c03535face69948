""" "Test connection", against a server that speaks the vendor's API."""

from __future__ import annotations

import asyncio
import socket
import time
from threading import Event
from typing import TYPE_CHECKING

import pytest

from llmconfig import services
from llmconfig.llm import Secret
from llmconfig.models import ModelList, UserLLMConfig
from llmconfig.services import connection
from llmconfig.tenancy.audit import SYSTEM
from llmconfig.tenancy.errors import Invalid

if TYPE_CHECKING:
    from tests.fakes.server import FakeVendor
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
KEY = Secret("sk-ant-right-key-0123")
WRONG = Secret("sk-ant-wrong-key-0123")


def make(alice: Person, vendor: FakeVendor, **fields: object) -> UserLLMConfig:
    return services.create_config(
        caller=alice.caller, **{"provider_type": "anthropic", "api_key": KEY, "base_url": vendor.base_url, **fields}
    )


def test_a_good_key_is_valid_and_lists_models(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor)
    result = services.test_config(caller=alice.caller, id=config.pk)
    assert result.ok
    assert [model.id for model in result.models] == vendor.models
    config.refresh_from_db()
    assert (config.status, config.status_detail) == ("valid", "")
    assert config.last_tested_at is not None
    assert [entry["id"] for entry in ModelList.objects.get(config=config).entries] == vendor.models
    assert services.model_of(UserLLMConfig.objects.get()) == vendor.models[0]


def test_models_whose_names_are_too_long_to_be_run_are_left_out(alice: Person, vendor: FakeVendor) -> None:
    vendor.models.append("m" * 201)
    config = make(alice, vendor)
    result = services.test_config(caller=alice.caller, id=config.pk)
    listed = [entry["id"] for entry in ModelList.objects.get(config=config).entries]
    assert listed == [entry["id"] for entry in result.as_dict()["models"]] == vendor.models[:-1]


def test_a_wrong_key_is_invalid_and_not_echoed(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor, api_key=WRONG)
    result = services.test_config(caller=alice.caller, id=config.pk)
    assert (result.ok, result.error_kind) == (False, "authentication_failed")
    assert result.error_detail.startswith("Anthropic refused this key (401)")
    assert WRONG.reveal() not in result.error_detail
    config.refresh_from_db()
    assert (config.status, config.status_detail) == ("invalid", result.error_detail)


def test_a_model_that_does_not_exist(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor, model="no-such-model")
    assert services.test_config(caller=alice.caller, id=config.pk).error_kind == "model_not_found"


def test_a_passing_trouble_keeps_the_status(alice: Person, settings) -> None:
    settings.PRIVATE_HOSTS = ["127.0.0.1:1"]
    config = services.create_config(caller=alice.caller, provider_type="anthropic", api_key=KEY, base_url="http://127.0.0.1:1")
    UserLLMConfig.objects.update(status="valid")
    result = services.test_config(caller=alice.caller, id=config.pk)
    assert result.error_kind == "provider_unavailable"
    config.refresh_from_db()
    assert (config.status, config.status_detail) == ("valid", result.error_detail)


def test_no_answer_ends_with_the_deadline(alice: Person, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "DEADLINE_S", 0.2)

    async def hang(client: object, model: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("llmconfig.providers.anthropic.AnthropicProvider.check", hang)
    result = services.test_config(caller=alice.caller, id=make(alice, vendor).pk)
    assert result.error_kind == "timeout"


def test_a_name_that_is_never_resolved_does_not_hold_the_thread_past_the_deadline(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up in the system's resolver cannot be interrupted: it is left behind."""
    monkeypatch.setattr(connection, "DEADLINE_S", 0.2)
    entered, answered, left = Event(), Event(), Event()

    def blocked(*_: object, **__: object) -> list[object]:
        entered.set()
        answered.wait(8)
        left.set()
        raise socket.gaierror("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", blocked)
    config = services.create_config(caller=alice.caller, provider_type="anthropic", api_key=KEY, base_url="https://slow.example.com")
    started = time.monotonic()
    result = services.test_config(caller=alice.caller, id=config.pk)
    took = time.monotonic() - started
    assert entered.is_set()
    assert not left.is_set()
    answered.set()
    assert result.error_kind == "timeout"
    assert took < 7
    assert left.wait(3)


def test_new_configs_share_one_deadline(alice: Person, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "DEADLINE_S", 2.0)

    async def hang(client: object, model: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("llmconfig.providers.anthropic.AnthropicProvider.check", hang)
    began = time.monotonic()
    results = services.test_new_configs([make(alice, vendor, name=name) for name in "abc"], actor=SYSTEM)
    assert [result.error_kind for result in results] == ["timeout"] * 3
    assert time.monotonic() - began < 5


def test_a_test_of_a_new_config_that_breaks_is_its_own_result(
    alice: Person, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(client: object, model: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("llmconfig.providers.openai_compatible.OpenAICompatibleProvider.check", breaks)
    other = services.create_config(caller=alice.caller, provider_type="openai_compatible", base_url=vendor.base_url, name="other")
    broken, works = services.test_new_configs([other, make(alice, vendor)], actor=SYSTEM)
    assert (broken.error_kind, works.ok) == ("internal", True)
    assert "ZeroDivisionError" in caplog.text
    other.refresh_from_db()
    assert (other.status, other.status_detail) == ("untested", broken.error_detail)


def test_a_missing_key_is_told_without_a_call(alice: Person, vendor: FakeVendor, settings) -> None:
    config = make(alice, vendor)
    services.update_config(caller=alice.caller, id=config.pk, base_url="https://elsewhere.example.com")
    assert services.test_config(caller=alice.caller, id=config.pk).error_kind == "missing_key"
    assert not vendor.requests


def test_an_unsaved_config_is_tested_and_not_saved(alice: Person, vendor: FakeVendor) -> None:
    fields = {"provider_type": "anthropic", "base_url": vendor.base_url}
    assert services.test_unsaved_config(caller=alice.caller, api_key=KEY, **fields).ok
    refused = services.test_unsaved_config(caller=alice.caller, api_key=WRONG, **fields)
    assert refused.as_dict()["error"]["kind"] == "authentication_failed"
    assert not UserLLMConfig.objects.exists()


def test_require_working_refuses_what_fails(alice: Person, vendor: FakeVendor) -> None:
    with pytest.raises(Invalid) as caught:
        services.require_working(caller=alice.caller, provider_type="anthropic", base_url=vendor.base_url, api_key=WRONG)
    assert caught.value.code == "authentication_failed"


def test_a_key_rotated_during_the_test_keeps_its_own_status(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor, api_key=WRONG)
    tested = UserLLMConfig.objects.get()
    services.update_config(caller=alice.caller, id=config.pk, api_key=KEY)
    services.note_result(tested, connection.ConnectionResult(1, error_kind="authentication_failed", error_detail="refused"), actor=SYSTEM)
    config.refresh_from_db()
    assert config.status == "untested"


def test_an_exhausted_quota_has_a_status_of_its_own(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor)
    services.note_result(config, connection.ConnectionResult(1, error_kind="quota_exhausted", error_detail="no credit"), actor=SYSTEM)
    config.refresh_from_db()
    assert config.status == "quota_exhausted"
