"""Data keys: one a tenant, made once; and what another KEK or a deleted key means."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from llmconfig.tenancy.keys import data_key_for, data_key_named
from llmconfig.tenancy.models import DataKey
from llmconfig.vault import Unreadable
from tests.llmconfig.people import Person, person


def test_a_key_is_made_once(alice: Person) -> None:
    first = data_key_for(alice.organization.pk)
    assert data_key_for(alice.organization.pk) == first
    assert DataKey.objects.count() == 1


def test_the_row_holds_no_material(alice: Person) -> None:
    key = data_key_for(alice.organization.pk)
    assert key.material not in bytes(DataKey.objects.get().wrapped)


def test_tenants_have_different_keys(alice: Person, mallory: Person) -> None:
    assert data_key_for(alice.organization.pk).material != data_key_for(mallory.organization.pk).material


def test_a_key_is_not_found_in_another_organization(alice: Person, mallory: Person) -> None:
    with pytest.raises(Unreadable):
        data_key_named(mallory.organization.pk, data_key_for(alice.organization.pk).key_id)


def test_a_deleted_key_is_gone_at_once(alice: Person) -> None:
    key = data_key_for(alice.organization.pk)
    DataKey.objects.all().delete()
    with pytest.raises(Unreadable):
        data_key_named(alice.organization.pk, key.key_id)


def test_another_kek_opens_nothing_and_makes_nothing(alice: Person, settings) -> None:
    """security.md, promise 7."""
    data_key_for(alice.organization.pk)
    settings.KEK = "restored-under-another-kek-0123456789"
    with pytest.raises(Unreadable):
        data_key_for(alice.organization.pk)
    assert DataKey.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_race_makes_one_key() -> None:
    alice = person("alice")
    barrier, found = threading.Barrier(6), []

    def ask() -> None:
        barrier.wait()
        found.append(data_key_for(alice.organization.pk).key_id)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert set(found) == {DataKey.objects.get().key_id}
