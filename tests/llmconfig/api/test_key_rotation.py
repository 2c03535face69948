"""POST /api/organization/rotate-keys: the owner's alone; a worker does the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig import tasks
from llmconfig.models import UserLLMConfig
from llmconfig.tenancy.audit import AuditEvent
from llmconfig.tenancy.keys import data_key_for, open_for
from llmconfig.tenancy.models import DataKey, Role
from llmconfig.tenancy.resealing import values_by_key
from tests.llmconfig.people import person
from tests.llmconfig.tenancy.sealed_rows import config_of

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.people import Person

URL = "/api/organization/rotate-keys"


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """The messages sent."""
    from routekit.celery import app

    sent: list[tuple[str, Any]] = []
    monkeypatch.setattr(app, "send_task", lambda name, arguments, **options: sent.append((name, arguments)))
    return sent


def test_an_owner_rotates_and_a_worker_reseals(
    alice: Person, rung: list[Any], settings: SettingsWrapper, django_capture_on_commit_callbacks: Any
) -> None:
    settings.ROTATION_GRACE_S = 0.0
    row = config_of(alice, "key-of-alice")
    before = data_key_for(alice.organization.pk).key_id
    with django_capture_on_commit_callbacks(execute=True):
        answer = alice.client().post(URL)
    current = data_key_for(alice.organization.pk).key_id
    assert (answer.status_code, answer.json()) == (202, {"key": current, "resumed": False})
    assert rung == [("llmconfig.tasks.reseal_organization", (str(alice.organization.pk),))]
    event = AuditEvent.objects.get(action="keys.rotated")
    assert (event.actor, event.token, event.details["previous"]) == ("alice", "test", before)
    tasks.reseal_organization(*rung[0][1])
    tasks.finish_key_rotations()
    assert values_by_key(alice.organization.pk) == {current: 2, "": 0}
    assert open_for(UserLLMConfig.objects.get(pk=row.pk), "api_key").reveal() == "key-of-alice"


def test_a_message_that_is_lost_is_made_good_by_beat(
    alice: Person, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from routekit.celery import app

    def away(*arguments: Any, **options: Any) -> None:
        raise ConnectionError

    config_of(alice, "key-of-alice")
    monkeypatch.setattr(app, "send_task", away)
    with django_capture_on_commit_callbacks(execute=True):
        assert alice.client().post(URL).status_code == 202
    assert "beat resumes it" in caplog.text
    DataKey.objects.exclude(retired_at=None).update(retired_at="2026-01-01T00:00:00Z")
    tasks.finish_key_rotations()
    assert values_by_key(alice.organization.pk)[data_key_for(alice.organization.pk).key_id] == 2


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.AUDITOR, Role.ADMIN])
def test_nobody_else_may(alice: Person, role: Role) -> None:
    key = data_key_for(alice.organization.pk)
    assert person("bob", alice.organization, role).client().post(URL).status_code == 403
    assert alice.client(scopes=["run"]).post(URL).status_code == 403
    assert data_key_for(alice.organization.pk) == key


def test_an_unknown_field_is_refused(alice: Person) -> None:
    answer = alice.client().post(URL, {"force": True})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "unknown_field")
