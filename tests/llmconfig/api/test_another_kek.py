"""A backup restored under another KEK, through the API from one end to the other."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.core.management import call_command
from django.test import Client

from llmconfig.models import UserLLMConfig
from llmconfig.services import warn_at_start
from llmconfig.tenancy.models import DataKey
from tests.llmconfig.tenancy.sealed_rows import values_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.people import Person

URL = "/api/user/llm-config"
CANARY = "sk-canary-of-alice-000001"
BODY = {"provider_type": "anthropic", "api_key": CANARY, "name": "of the backup"}


def code(answer: Any) -> str:
    return str(answer.json()["errors"][0]["code"])


def test_promise_7_it_starts_and_warns_says_unreadable_and_overwrites_nothing(
    alice: Person, mallory: Person, settings: SettingsWrapper, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    api = alice.client()
    kept_id, gone_id = (api.post(URL, {**BODY, "name": name}).json()["id"] for name in ("kept", "gone"))
    UserLLMConfig.objects.update(status="valid")
    backup = tmp_path / "backup.json"
    call_command("dumpdata", "llmconfig.datakey", "llmconfig.userllmconfig", output=str(backup))
    assert CANARY not in backup.read_text()
    UserLLMConfig.objects.all().delete()
    DataKey.objects.all().delete()
    call_command("loaddata", str(backup), verbosity=0)
    kek, settings.KEK = settings.KEK, "restored-under-another-kek-0123456789"
    before = values_of(UserLLMConfig.objects.get(pk=kept_id)), bytes(DataKey.objects.get().wrapped)

    with caplog.at_level(logging.WARNING):
        warn_at_start()
    assert "data keys of 1 of 1 organization" in caplog.text
    assert Client().get("/healthz").status_code == 200

    one = f"{URL}/{kept_id}"
    assert api.get(one).json()["status"] == "unreadable"  # before anybody tried it
    assert {each["status"] for each in api.get(URL).json()["results"]} == {"unreadable"}
    changed = api.patch(one, {"name": "renamed", "priority": 3})
    assert (changed.status_code, changed.json()["name"], changed.json()["status"]) == (200, "renamed", "unreadable")
    assert api.post(f"{URL}/test", {"id": kept_id}).json()["error"]["kind"] == "unreadable"
    for refused in (
        api.patch(one, {"api_key": "sk-another-key-000001"}),
        api.post(URL, BODY),
        api.post(URL, BODY, HTTP_IDEMPOTENCY_KEY="once"),
        api.post("/api/organization/rotate-keys"),
    ):
        assert (refused.status_code, code(refused)) == (409, "unreadable")
    assert api.delete(f"{URL}/{gone_id}").status_code == 204
    assert (values_of(UserLLMConfig.objects.get(pk=kept_id)), bytes(DataKey.objects.get().wrapped)) == before
    assert mallory.client().post(URL, BODY).status_code == 201  # whoever has no key yet is not held up

    assert api.post("/api/organization/rotate-keys", {"start_over": True}).status_code == 202
    fresh = api.post(URL, {**BODY, "name": "fresh"})
    assert (fresh.status_code, fresh.json()["status"]) == (201, "untested")
    assert api.get(one).json()["status"] == "unreadable"
    assert values_of(UserLLMConfig.objects.get(pk=kept_id)) == before[0]

    settings.KEK_OTHERS = (kek,)  # found again
    assert {each["name"]: each["status"] for each in api.get(URL).json()["results"]} == {"renamed": "untested", "fresh": "untested"}
    assert values_of(UserLLMConfig.objects.get(pk=kept_id)) == before[0]


def test_promise_7_a_new_key_makes_a_config_readable_after_starting_over(alice: Person, settings: SettingsWrapper) -> None:
    api = alice.client()
    one = f"{URL}/{api.post(URL, BODY).json()['id']}"
    settings.KEK = "restored-under-another-kek-0123456789"
    assert api.get(one).json()["status"] == "unreadable"
    api.post("/api/organization/rotate-keys", {"start_over": True})
    assert api.patch(one, {"api_key": "sk-another-key-000001"}).json()["status"] == "untested"
    assert api.get(one).json()["status"] == "untested"
