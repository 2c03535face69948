"""Whatever is done to an audit trail behind routekit's back, verifying it says so, and where."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from llmconfig.services import audit_verify
from llmconfig.services.audit_heads import write_heads
from llmconfig.services.audit_retention import close_segment, remove_closed
from llmconfig.services.audit_verify import verify_chain, verify_chains, written_heads
from llmconfig.tenancy.audit import Actor, AuditEvent, AuditHead, AuditKey, AuditSegment, record
from tests.llmconfig.tampering import remove, some_events, tamper, without_triggers

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from llmconfig.tenancy.audit.chains import Verdict
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def heads_file(settings: SettingsWrapper, tmp_path: Path) -> Path:
    settings.AUDIT_HEADS_FILE = str(tmp_path / "heads.jsonl")
    return tmp_path / "heads.jsonl"


def verdict_of(person: Person, **options: Any) -> Verdict:
    written = written_heads()
    heads = written.by_chain.get(person.organization.pk, []) if written else []
    return verify_chain(person.organization.pk, heads=heads, **options)


def first_problem(person: Person) -> tuple[str, int | None]:
    problem = verdict_of(person).problems[0]
    return problem.kind, problem.seq


def test_what_was_recorded_is_intact(alice: Person, mallory: Person) -> None:
    events = some_events(alice)
    some_events(mallory, 2)
    write_heads()
    found = dict(verify_chains(heads=written_heads()))
    assert {alice.organization.pk, mallory.organization.pk} <= found.keys()
    assert all(verdict.intact for verdict in found.values())
    mine = found[alice.organization.pk]
    assert (mine.checked, mine.first_seq, mine.last_seq, mine.complete) == (len(events), 1, len(events), True)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", uuid.uuid4()),
        ("at", timezone.now()),
        ("actor_id", None),
        ("actor", "bob"),
        ("token", "t"),
        ("action", "config.created"),
        ("object_type", "x"),
        ("object_id", "x"),
        ("object_label", "x"),
        ("outcome", "refused"),
        ("ip", "203.0.113.9"),
        ("details", {"number": 99}),
        ("previous", "1" * 64),
        ("hash", "1" * 64),
    ],
)
def test_promise_34_an_edit_of_any_column_is_found(alice: Person, column: str, value: Any) -> None:
    event = some_events(alice)[2]
    tamper(event, **{column: value})
    verdict = verdict_of(alice)
    assert verdict.intact is False
    assert verdict.problems[0].seq == event.seq


def test_promise_34_an_event_moved_to_another_chain_is_found(alice: Person, mallory: Person) -> None:
    event = some_events(alice)[-1]
    last = some_events(mallory)[-1]
    tamper(event, chain=mallory.organization.pk, seq=last.seq + 1)
    assert verdict_of(alice).intact is False
    assert first_problem(mallory) == ("order", last.seq + 1)


def test_promise_34_an_event_that_was_taken_out_is_found(alice: Person) -> None:
    events = some_events(alice)
    remove(events[1], events[2])
    assert first_problem(alice) == ("missing", events[1].seq)
    assert "Events 2 to 3 are missing" in verdict_of(alice).problems[0].detail


def test_promise_34_events_in_another_order_are_found(alice: Person) -> None:
    second, third = some_events(alice)[1:3]
    with without_triggers():
        AuditEvent.objects.filter(pk=second.pk).update(seq=1000)
        AuditEvent.objects.filter(pk=third.pk).update(seq=second.seq)
        AuditEvent.objects.filter(pk=second.pk).update(seq=third.seq)
    assert first_problem(alice)[1] == second.seq


def test_promise_34_a_forgery_in_the_middle_is_found(alice: Person) -> None:
    events = some_events(alice)
    with without_triggers():
        for event in reversed(events[2:]):
            AuditEvent.objects.filter(pk=event.pk).update(seq=event.seq + 1)
        forged = AuditEvent.objects.get(pk=events[1].pk)
        forged.pk, forged.seq, forged.previous = uuid.uuid4(), events[2].seq, events[1].hash
        forged.save(force_insert=True)
        AuditHead.objects.filter(pk=alice.organization.pk).update(seq=F("seq") + 1)
    assert first_problem(alice) == ("edited", events[2].seq)


def test_promise_34_a_forgery_behind_the_end_is_found(alice: Person) -> None:
    last = some_events(alice)[-1]
    AuditEvent.objects.create(
        chain=last.chain, seq=last.seq + 1, at=last.at, actor="mallory", action="x", outcome="allowed", key_id="", previous=last.hash
    )
    assert first_problem(alice) == ("order", last.seq + 1)


def test_promise_34_a_cut_tail_is_found_by_the_end_that_is_kept(alice: Person) -> None:
    events = some_events(alice)
    remove(*events[3:])
    assert first_problem(alice) == ("cut", events[3].seq)


def test_promise_34_a_cut_tail_whose_end_was_put_back_is_found_by_the_heads_written_out(alice: Person) -> None:
    events = some_events(alice)
    write_heads()
    remove(*events[3:])
    AuditHead.objects.filter(pk=alice.organization.pk).update(seq=events[2].seq, hash=events[2].hash)
    assert verify_chain(alice.organization.pk).intact is True
    assert first_problem(alice) == ("cut", events[3].seq)
    some_events(alice, 6)  # grown past it again
    assert ("head", events[-1].seq) in {(problem.kind, problem.seq) for problem in verdict_of(alice).problems}


def test_promise_34_a_chain_that_is_gone_is_found(alice: Person) -> None:
    some_events(alice)
    write_heads()
    with without_triggers():
        AuditEvent.objects.all().delete()
        AuditHead.objects.all().delete()
    found = dict(verify_chains(heads=written_heads()))
    assert found[alice.organization.pk].problems[0].kind == "gone"


def test_an_end_that_is_gone_is_found(alice: Person) -> None:
    some_events(alice)
    AuditHead.objects.all().delete()
    assert first_problem(alice)[0] == "head"


def closed(person: Person) -> list[AuditEvent]:
    """Two segments closed and removed, and some events after them."""
    events = some_events(person)
    for number in (2, 4):
        close_segment(person.organization.pk, older_than=events[number].at)
        remove_closed(person.organization.pk)
    assert AuditSegment.objects.count() == 2
    assert verdict_of(person).intact is True
    return events


def test_promise_34_a_segment_that_was_changed_is_found(alice: Person) -> None:
    closed(alice)
    with without_triggers():
        AuditSegment.objects.filter(first_seq=1).update(last_at=timezone.now())
    assert first_problem(alice) == ("segment", 1)


def test_promise_34_a_segment_that_is_missing_is_found(alice: Person) -> None:
    closed(alice)
    with without_triggers():
        AuditSegment.objects.filter(first_seq=1).delete()
    assert {problem.kind for problem in verdict_of(alice).problems} == {"segment"}


def test_promise_34_a_segment_that_was_made_up_to_remove_events_is_found(alice: Person) -> None:
    first, second, *_ = some_events(alice)
    forged = AuditSegment(chain=first.chain, first_seq=1, last_seq=1, first_at=first.at, last_at=first.at, closed_at=second.at)
    forged.first_previous, forged.last_hash, forged.key_id, forged.hash = first.previous, first.hash, first.key_id, "0" * 64
    forged.save()
    AuditEvent.objects.filter(pk=first.pk).delete()
    assert first_problem(alice) == ("segment", 1)


def test_a_removal_that_is_not_through_is_intact(alice: Person) -> None:
    events = some_events(alice)
    close_segment(alice.organization.pk, older_than=events[3].at)
    AuditEvent.objects.filter(chain=alice.organization.pk, seq=1).delete()
    verdict = verdict_of(alice)
    assert (verdict.intact, verdict.first_seq) == (True, 2)


def test_under_another_kek_nothing_is_said_to_be_intact(alice: Person, settings: SettingsWrapper) -> None:
    events = some_events(alice)
    settings.KEK = "another-key-encryption-key-0123456789"
    verdict = verdict_of(alice)
    assert (verdict.intact, verdict.unverified) == (None, len(events))
    remove(events[1])
    assert verdict_of(alice).intact is False


def test_a_key_that_was_removed_is_told(alice: Person) -> None:
    some_events(alice)
    AuditKey.objects.all().delete()
    assert first_problem(alice)[0] == "key"


def test_the_newest_events_alone_can_be_verified(alice: Person) -> None:
    events = some_events(alice, 10)
    tamper(events[0], actor="bob")
    verdict = verdict_of(alice, newest=3)
    assert (verdict.intact, verdict.checked, verdict.complete) == (True, 3, False)


def test_what_is_wrong_is_told_a_bounded_number_of_times(alice: Person) -> None:
    some_events(alice, 40)
    with without_triggers():
        AuditEvent.objects.update(actor="bob")
    assert len(verdict_of(alice).problems) == 20


def test_a_value_that_is_none_of_its_type_is_found_and_the_rest_read(alice: Person) -> None:
    from django.db import connection

    if connection.vendor != "sqlite":
        return  # Postgres holds the types
    events = some_events(alice)
    with without_triggers(), connection.cursor() as cursor:
        cursor.execute("UPDATE llmconfig_auditevent SET id = 'none' WHERE seq = 2")
        cursor.execute("UPDATE llmconfig_auditevent SET at = 'never' WHERE seq = 4")
    verdict = verdict_of(alice)
    assert verdict.checked == len(events)
    assert {problem.seq for problem in verdict.problems} == {2, 4}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    try:
        call_command("verify_audit", *arguments)
        code = 0
    except SystemExit as ended:
        code = int(str(ended.code))
    except CommandError as error:
        return error.returncode, str(error)
    return code, capsys.readouterr().out


def test_promise_34_the_command(alice: Person, capsys: pytest.CaptureFixture[str], settings: SettingsWrapper, heads_file: Path) -> None:
    events = some_events(alice)
    assert run(capsys)[0] == 0
    write_heads()
    code, said = run(capsys, "--organization", alice.organization.slug)
    assert (code, said.splitlines()) == (0, [f"alice: intact ({len(events)} events, 1 to {len(events)}; 1 head written out)"])
    kek, settings.KEK = settings.KEK, "another-key-encryption-key-0123456789"
    code, said = run(capsys)
    assert code == 2
    assert "NOT VERIFIED" in said
    settings.KEK = kek
    tamper(events[1], actor="bob")
    code, said = run(capsys)
    assert code == 1
    assert "alice: BROKEN at event 2" in said
    assert "Event 2 is not what was recorded" in said
    assert run(capsys, "--organization", "nobody")[0] == 2
    assert run(capsys, "--heads", str(heads_file) + ".none")[0] == 2
    assert run(capsys, "--organization", "installation")[0] == 0


def test_a_heads_file_that_was_edited_is_told(alice: Person, capsys: pytest.CaptureFixture[str], heads_file: Path) -> None:
    some_events(alice)
    write_heads()
    heads_file.write_text(heads_file.read_text().replace('"seq":', '"seq":1'))
    code, said = run(capsys)
    assert code == 1
    assert "is not what was signed" in said
    heads_file.write_text("nonsense\n" + heads_file.read_text())
    assert "line 1 is no head" in run(capsys)[1]


UNREADABLE_ON_SQLITE = {
    "auditevent": {
        "chain": "'abc'",
        "seq": "'abc'",
        "actor": "CAST(x'ff' AS TEXT)",
        "ip": "x'ff'",
        "hash": "x'ff'",
        "id": "'abc'",
        "at": "''",
    },
    "audithead": {"chain": "'abc'", "seq": "'abc'", "hash": "CAST(x'ff' AS TEXT)"},
    "auditsegment": {"chain": "x'ff'", "closed_at": "''", "last_seq": "'abc'", "key_id": "x'ff'"},
}
CASES = [(table, column, value) for table, columns in UNREADABLE_ON_SQLITE.items() for column, value in columns.items()]


@pytest.mark.parametrize(("table", "column", "value"), CASES)
def test_promise_34_a_value_that_cannot_even_be_read_is_found_and_other_chains_are_verified(
    alice: Person, mallory: Person, table: str, column: str, value: str
) -> None:
    """SQLite keeps any value in any column; Postgres refuses most of these."""
    events, others = some_events(alice), some_events(mallory)
    close_segment(alice.organization.pk, older_than=events[2].at)
    remove_closed(alice.organization.pk)
    write_heads()
    row = "seq = 3" if table == "auditevent" else "TRUE"
    change, refused = f"UPDATE llmconfig_{table} SET {column} = {value}", False  # noqa: S608  # our own words
    with without_triggers(), connection.cursor() as cursor:
        try:
            with transaction.atomic():
                cursor.execute(f"{change} WHERE {row} AND chain = %s", [alice.organization.pk.hex])
        except DatabaseError:
            refused = connection.vendor == "postgresql"
    found = dict(verify_chains(heads=written_heads()))
    assert found[alice.organization.pk].intact is refused
    assert (found[mallory.organization.pk].intact, found[mallory.organization.pk].checked) == (True, len(others))


def test_promise_34_a_wrapped_key_that_is_no_key_leaves_events_unverified(alice: Person) -> None:
    some_events(alice)
    AuditKey.objects.update(wrapped=b"")
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("UPDATE llmconfig_auditkey SET wrapped = 'abc'")
    assert verdict_of(alice).intact is None
    assert record("config.changed", actor=Actor.of(alice.caller), organization=alice.organization.pk).key_id


def test_a_database_that_does_not_answer_is_no_broken_chain(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object, **__: object) -> Any:
        raise OperationalError("database is locked")

    monkeypatch.setattr(audit_verify, "links_in_order", locked)
    with pytest.raises(OperationalError):
        verdict_of(alice)
