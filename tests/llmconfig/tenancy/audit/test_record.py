"""An event is chained to the one before, commits with what it tells about, and cannot be changed in the database."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, connection, transaction

from llmconfig.llm import Secret
from llmconfig.tenancy.audit import SYSTEM, Actor, AuditEvent, AuditSegment, record
from llmconfig.tenancy.audit.keys import key_named
from llmconfig.tenancy.audit.record import plain
from llmconfig.vault import FIRST, mac

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db


def some(person: Person, action: str = "config.created", **details: Any) -> AuditEvent:
    return record(action, actor=Actor.of(person.caller), organization=person.organization.pk, details=details)


def recomputed(event: AuditEvent) -> str:
    return mac(key_named(event.key_id, event.chain), event.previous, event.content())


def test_promise_34_each_event_follows_the_one_before(alice: Person, mallory: Person) -> None:
    first, second, foreign = some(alice), some(alice), some(mallory)
    assert (second.seq, second.previous) == (first.seq + 1, first.hash)
    assert foreign.previous in {FIRST, *AuditEvent.objects.filter(chain=mallory.organization.pk).values_list("hash", flat=True)}
    for event in AuditEvent.objects.all():
        assert recomputed(event) == event.hash


def test_what_is_read_back_has_the_same_mac(alice: Person) -> None:
    event = some(alice, amount=Decimal("0.10"), names=("ä", "\x00b"), nested={"b": 1, "a": None}, key=Secret("sk-canary"))
    stored = AuditEvent.objects.get(pk=event.pk)
    assert stored.details == {"amount": "0.10", "names": ["ä", "b"], "nested": {"b": 1, "a": None}, "key": "••••"}
    assert recomputed(stored) == event.hash


def test_a_changed_event_has_another_mac(alice: Person) -> None:
    event = some(alice, role="member")
    event.details = {"role": "owner"}
    assert recomputed(event) != event.hash


def test_promise_34_an_event_goes_with_its_action(alice: Person) -> None:
    before = AuditEvent.objects.count()
    with transaction.atomic():
        some(alice)
        transaction.set_rollback(True)
    assert AuditEvent.objects.count() == before
    assert some(alice).seq == before + 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE llmconfig_auditevent SET actor = 'mallory'",
        "DELETE FROM llmconfig_auditevent",
        "INSERT INTO llmconfig_auditevent SELECT * FROM llmconfig_auditevent",
    ],
)
def test_promise_34_the_database_refuses_to_change_an_event(alice: Person, change: str) -> None:
    some(alice)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)
    assert AuditEvent.objects.filter(actor="alice").exists()


def test_promise_34_a_replaced_row_is_a_changed_one(alice: Person) -> None:
    if connection.vendor != "sqlite":
        return  # INSERT OR REPLACE is SQLite's alone
    event = some(alice)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT OR REPLACE INTO llmconfig_auditevent SELECT * FROM llmconfig_auditevent WHERE seq = %s", [event.seq])


def test_events_go_only_where_a_segment_stands_for_them(alice: Person) -> None:
    first, second = some(alice), some(alice)
    segment = AuditSegment.objects.create(
        chain=first.chain,
        first_seq=first.seq,
        last_seq=first.seq,
        first_at=first.at,
        last_at=first.at,
        first_previous=first.previous,
        last_hash=first.hash,
        closed_at=second.at,
        key_id=first.key_id,
        hash="0" * 64,
    )
    AuditEvent.objects.filter(pk=first.pk).delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEvent.objects.filter(pk=second.pk).delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditSegment.objects.filter(pk=segment.pk).delete()


def test_under_another_kek_a_new_key_begins_and_people_go_on(alice: Person, settings: SettingsWrapper) -> None:
    old = some(alice)
    settings.KEK = "another-key-encryption-key-0123456789"
    new = some(alice)
    assert new.previous == old.hash
    assert new.key_id != old.key_id


def test_an_event_outlives_its_organization(alice: Person) -> None:
    chain = alice.organization.pk
    some(alice)
    alice.organization.delete()
    assert AuditEvent.objects.filter(chain=chain).exists()


def test_the_installation_has_a_chain_of_its_own() -> None:
    event = record("kek.promoted", actor=SYSTEM, organization=None, object=("kek", "0011aabb", "0011aabb"))
    assert (event.chain, event.object_type) == (uuid.UUID(int=0), "kek")


@pytest.mark.parametrize(("value", "kept"), [("x" * 2000, "x" * 1000), ({1: {"a"}}, {"1": ["a"]}), (0.5, "0.5"), (True, True)])
def test_details_hold_nothing_that_json_could_write_in_two_ways(value: Any, kept: Any) -> None:
    assert plain(value) == kept


def test_text_that_no_database_keeps_is_recorded_without_it(alice: Person) -> None:
    about = ("x", "i\x00d" + "9" * 300, "half \ud800 a pair")
    event = record("x.y", actor=Actor("al\x00ice"), organization=alice.organization.pk, object=about, details={"a\x00": "b\udfff"})
    event.refresh_from_db()
    assert (event.actor, event.object_id[:4], len(event.object_id), event.object_label) == ("alice", "id99", 200, "half ? a pair")
    assert event.details == {"a": "b?"}
