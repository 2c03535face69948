"""The old part of a chain is archived, closed and removed, from wherever the last run was stopped; what is left still proves itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from llmconfig.services import audit_retention
from llmconfig.services.audit_offline import verify_export
from llmconfig.services.audit_retention import apply_audit_retention, close_segment
from llmconfig.services.audit_verify import verify_chain
from llmconfig.tenancy.audit import AuditEvent, AuditSegment
from llmconfig.tenancy.audit.trail import keys_of
from tests.llmconfig.tampering import some_events, tamper

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db


def kept_for(person: Person, days: int | None, monkeypatch: pytest.MonkeyPatch, *, later: int = 0) -> None:
    person.organization.audit_retention_days = days
    person.organization.save()
    now = timezone.now() + timedelta(days=later)
    monkeypatch.setattr(audit_retention.timezone, "now", lambda: now)


def seqs(person: Person) -> list[int]:
    return list(AuditEvent.objects.filter(chain=person.organization.pk).order_by("seq").values_list("seq", flat=True))


def test_promise_34_old_events_go_and_the_chain_stays_whole(
    alice: Person, mallory: Person, monkeypatch: pytest.MonkeyPatch, settings: SettingsWrapper, tmp_path: Path
) -> None:
    settings.AUDIT_ARCHIVE = str(tmp_path)
    events, others = some_events(alice), some_events(mallory)
    kept_for(alice, 30, monkeypatch, later=31)
    assert apply_audit_retention() == 1
    assert seqs(alice) == [events[-1].seq, events[-1].seq + 1]  # never the newest; and the event that tells of it
    assert seqs(mallory) == [event.seq for event in others]
    told = AuditEvent.objects.get(chain=alice.organization.pk, action="audit.segment_closed")
    assert told.actor == "system"
    assert (told.details["events"], told.details["archive"]) == (len(events) - 1, "000000000001.jsonl")
    verdict = verify_chain(alice.organization.pk)
    assert (verdict.intact, verdict.checked) == (True, 2)
    archive = tmp_path / str(alice.organization.pk) / "000000000001.jsonl"
    archived = verify_export(archive, key_of=keys_of(alice.organization.pk))
    assert (archived.intact, archived.checked, archived.complete) == (True, len(events) - 1, False)
    assert archive.stat().st_mode & 0o777 == 0o600


def test_nothing_goes_before_its_time_or_without_one(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    events = some_events(alice)
    kept_for(alice, 30, monkeypatch, later=29)
    assert apply_audit_retention() == 0
    kept_for(alice, None, monkeypatch, later=10_000)
    assert apply_audit_retention() == 0
    assert seqs(alice) == [event.seq for event in events]


def test_a_removal_that_was_stopped_goes_on(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    events = some_events(alice, 9)
    close_segment(alice.organization.pk, older_than=events[6].at)
    AuditEvent.objects.filter(chain=alice.organization.pk, seq__lte=2).delete()  # the first batch, then a kill
    kept_for(alice, 30, monkeypatch)
    monkeypatch.setattr(audit_retention, "BATCH", 2)
    assert apply_audit_retention() == 0
    assert seqs(alice)[0] == events[6].seq
    assert verify_chain(alice.organization.pk).intact is True


def test_a_kill_between_archive_and_segment_loses_nothing(
    alice: Person, monkeypatch: pytest.MonkeyPatch, settings: SettingsWrapper, tmp_path: Path
) -> None:
    settings.AUDIT_ARCHIVE = str(tmp_path)
    some_events(alice)
    kept_for(alice, 30, monkeypatch, later=31)
    with monkeypatch.context() as patch:
        patch.setattr(audit_retention, "_commit", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            apply_audit_retention()
    assert not AuditSegment.objects.exists()
    assert apply_audit_retention() == 1
    assert [path.name for path in (tmp_path / str(alice.organization.pk)).iterdir()] == ["000000000001.jsonl"]


def test_long_chains_are_closed_in_several_segments(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    some_events(alice, 10)
    monkeypatch.setattr(audit_retention, "MAX_SEGMENT", 4)
    kept_for(alice, 30, monkeypatch, later=31)
    assert apply_audit_retention() == 3
    assert verify_chain(alice.organization.pk).intact is True
    some_events(alice, 4)
    kept_for(alice, 30, monkeypatch, later=62)
    assert apply_audit_retention() == 2
    assert verify_chain(alice.organization.pk).intact is True


def test_promise_34_what_was_tampered_with_is_not_closed_over(
    alice: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    events = some_events(alice)
    tamper(events[1], actor="bob")
    kept_for(alice, 30, monkeypatch, later=31)
    assert apply_audit_retention() == 0
    assert seqs(alice) == [event.seq for event in events]
    assert "Event 2 is not what was recorded" in caplog.text


def test_nothing_is_closed_under_another_kek(alice: Person, monkeypatch: pytest.MonkeyPatch, settings: SettingsWrapper) -> None:
    some_events(alice)
    kept_for(alice, 30, monkeypatch, later=31)
    settings.KEK = "another-key-encryption-key-0123456789"
    assert apply_audit_retention() == 0
