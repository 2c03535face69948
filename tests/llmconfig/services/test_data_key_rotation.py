"""Rotating data keys: promoted at once, finished after the grace, resumed, started over."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from llmconfig.llm import Secret
from llmconfig.models import UserLLMConfig
from llmconfig.services import finish_rotations, promote_data_key, reseal_organization, resume_rotations, rotate_keys
from llmconfig.services.data_key_rotation import key_problem
from llmconfig.tenancy.audit import SYSTEM, AuditEvent
from llmconfig.tenancy.errors import Conflict, Forbidden
from llmconfig.tenancy.keys import data_key_for, open_for, seal_for
from llmconfig.tenancy.models import DataKey
from llmconfig.tenancy.resealing import values_under
from llmconfig.tenancy.sealed import Sealed
from tests.llmconfig.tenancy.sealed_rows import config_of

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.people import Person

ANOTHER_KEK = "restored-under-another-kek-0123456789"


def retired() -> list[str]:
    return list(DataKey.objects.exclude(retired_at=None).values_list("key_id", flat=True))


def later() -> object:
    return timezone.now() + timedelta(minutes=5)


def test_a_rotation_from_its_start_to_its_end(alice: Person) -> None:
    row = config_of(alice, "key-of-alice")
    before = data_key_for(alice.organization.pk).key_id
    promotion = promote_data_key(organization=alice.organization, actor=SYSTEM)
    assert (promotion.resumed, data_key_for(alice.organization.pk).key_id) == (False, promotion.key_id)
    assert reseal_organization(alice.organization.pk).values == 2
    assert finish_rotations() == 0  # within the grace
    assert retired() == [before]
    assert finish_rotations(now=later()) == 1
    assert retired() == []
    assert open_for(UserLLMConfig.objects.get(pk=row.pk), "api_key").reveal() == "key-of-alice"
    events = AuditEvent.objects.filter(chain=alice.organization.pk).order_by("seq")
    assert [(event.action, event.details) for event in events] == [
        ("keys.rotated", {"key": promotion.key_id, "previous": before, "started_over": False}),
        ("keys.retired", {"key": before}),
    ]


def test_a_rotation_that_was_stopped_goes_on_under_the_same_key(alice: Person) -> None:
    config_of(alice, "key-of-alice")
    first = promote_data_key(organization=alice.organization, actor=SYSTEM)
    again = promote_data_key(organization=alice.organization, actor=SYSTEM)
    assert (again.key_id, again.resumed) == (first.key_id, True)
    assert resume_rotations() == 0  # whoever began may still be at it
    assert resume_rotations(now=timezone.now() + timedelta(hours=1)) == 1
    assert values_under(alice.organization.pk, first.key_id) == 2
    assert promote_data_key(organization=alice.organization, actor=SYSTEM).resumed is False


def test_what_is_stored_under_the_old_key_after_the_scan_is_brought_along_before_the_key_goes(alice: Person) -> None:
    row = config_of(alice, "key-of-alice")
    late = seal_for(row, "api_key", Secret("sealed-before-the-promotion"))
    promote_data_key(organization=alice.organization, actor=SYSTEM)
    reseal_organization(alice.organization.pk)
    UserLLMConfig.objects.filter(pk=row.pk).update(api_key=Sealed(late))
    assert finish_rotations(now=later()) == 1
    row.refresh_from_db()
    assert open_for(row, "api_key").reveal() == "sealed-before-the-promotion"


def test_a_key_that_a_damaged_value_names_is_kept(alice: Person) -> None:
    row = config_of(alice, "key-of-alice")
    UserLLMConfig.objects.filter(pk=row.pk).update(api_key=Sealed(row.api_key.text[:-6] + "AAAAAA"))
    before = data_key_for(alice.organization.pk).key_id
    promote_data_key(organization=alice.organization, actor=SYSTEM)
    assert len(reseal_organization(alice.organization.pk).stuck) == 1
    assert finish_rotations(now=later()) == 0
    assert finish_rotations(now=timezone.now() + timedelta(hours=3)) == 0
    assert retired() == [before]


def test_under_another_kek_an_owner_may_start_over_and_the_old_key_stays(alice: Person, settings: SettingsWrapper) -> None:
    row = config_of(alice, "key-of-alice")
    kek, kept = settings.KEK, row.api_key.text
    settings.KEK = ANOTHER_KEK
    with pytest.raises(Conflict) as caught:
        rotate_keys(caller=alice.caller)
    assert caught.value.code == "unreadable"
    assert "start_over" in key_problem(alice.organization.pk)
    promotion = rotate_keys(caller=alice.caller, start_over=True)
    assert key_problem(alice.organization.pk) == ""
    fresh = config_of(alice, "a-new-key")
    assert len(reseal_organization(alice.organization.pk).stuck) == 2
    assert finish_rotations(now=later()) == 0
    assert resume_rotations(now=timezone.now() + timedelta(hours=1)) == 0
    row.refresh_from_db()
    assert row.api_key.text == kept
    assert AuditEvent.objects.get(action="keys.rotated").details["started_over"] is True

    settings.KEK_OTHERS = (kek,)  # the old KEK is found
    assert open_for(row, "api_key").reveal() == "key-of-alice"
    assert open_for(fresh, "api_key").reveal() == "a-new-key"
    again = rotate_keys(caller=alice.caller)
    assert (again.resumed, again.key_id) == (True, promotion.key_id)
    reseal_organization(alice.organization.pk)
    assert finish_rotations(now=later()) == 1
    row.refresh_from_db()
    assert open_for(row, "api_key").reveal() == "key-of-alice"


def test_only_an_owner_rotates(alice: Person, bob: Person) -> None:
    with pytest.raises(Forbidden):
        rotate_keys(caller=bob.caller)
    assert not AuditEvent.objects.exists()


def test_an_organization_without_a_key_gets_its_first(alice: Person) -> None:
    assert promote_data_key(organization=alice.organization, actor=SYSTEM).resumed is False
    assert DataKey.objects.count() == 1
