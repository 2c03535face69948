"""An export proves itself with the chain's key and without the database, and whatever is done to the file shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from llmconfig.services.audit import export_audit
from llmconfig.services.audit_export import json_lines
from llmconfig.services.audit_heads import write_heads
from llmconfig.services.audit_retention import close_segment, remove_closed
from llmconfig.tenancy.audit import AuditEvent, AuditHead
from llmconfig.tenancy.audit.keys import key_named
from llmconfig.vault import FIRST, mac
from tests.llmconfig.tampering import remove, some_events, tamper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django.fixtures import DjangoAssertNumQueries, SettingsWrapper

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _heads(settings: SettingsWrapper, tmp_path: Path) -> None:
    settings.AUDIT_HEADS_FILE = str(tmp_path / "heads.jsonl")


def exported(person: Person, path: Path, told: dict[str, str] | None = None, **filters: Any) -> Path:
    path.write_text("".join(export_audit(caller=person.caller, format="jsonl", told=told or {}, **filters)))
    return path


def key_file(person: Person, path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    call_command("verify_audit", "--print-key", person.organization.slug)
    said = capsys.readouterr()
    assert "could as well make events" in said.err
    path.write_text(said.out)
    return path


@pytest.fixture
def files(alice: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, Path]:
    """An export of a chain with a closed segment, and its key."""
    events = some_events(alice)
    close_segment(alice.organization.pk, older_than=events[2].at)
    remove_closed(alice.organization.pk)
    return exported(alice, tmp_path / "export.jsonl"), key_file(alice, tmp_path / "key.json", capsys)


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str], django_assert_num_queries: DjangoAssertNumQueries) -> Callable[..., tuple[int, str]]:
    """The command as an auditor runs it: not one query."""

    def run(export: Path, key: Path, *more: str) -> tuple[int, str]:
        with django_assert_num_queries(0):
            try:
                call_command("verify_audit", "--export", str(export), "--key-file", str(key), *more)
                code = 0
            except SystemExit as ended:
                code = int(str(ended.code))
            except CommandError as error:
                return error.returncode, str(error)
        return code, capsys.readouterr().out

    return run


def test_promise_34_an_export_proves_itself_without_the_database(files: tuple[Path, Path], verify: Any) -> None:
    code, said = verify(*files)
    assert code == 0
    assert "intact" in said
    assert "nothing is missing of it" in said


def test_with_the_installations_own_key(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_audit", "--export", str(files[0]))
    assert "intact" in capsys.readouterr().out


def test_an_export_holds_all_that_its_macs_cover(files: tuple[Path, Path], alice: Person) -> None:
    rows = [json.loads(line) for line in files[0].read_text().splitlines()]
    assert [row["kind"] for row in rows] == ["header", "segment", *["event"] * (len(rows) - 3), "trailer"]
    assert rows[0]["scope"] == "chain"
    assert rows[0]["organization"]["slug"] == alice.organization.slug
    last = AuditEvent.objects.filter(chain=alice.organization.pk, action="audit.exported").get()
    assert rows[0]["head"] == {"seq": last.seq, "hash": last.hash}
    assert rows[-2]["action"] == "audit.exported"
    assert (rows[-1]["events"], rows[-1]["last_seq"]) == (len(rows) - 3, last.seq)


def edited(lines: list[str]) -> list[str]:
    return [line.replace('"actor":"alice"', '"actor":"bob"') if number == 3 else line for number, line in enumerate(lines)]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (edited, "is not what was recorded"),
        (lambda lines: [*lines[:3], *lines[4:]], "missing"),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], "should"),
        (lambda lines: lines[:-2] + lines[-1:], "The events end at"),
        (lambda lines: lines[:-1], "the end was cut off"),
        (lambda lines: lines[:1] + lines[2:], "missing"),
        (lambda lines: [lines[0].replace('"scope":"chain"', '"scope":"filtered"'), *lines[1:]], "are not those that were exported"),
        (lambda lines: [*lines[:-1], lines[-1].replace('"events":', '"events":1')], "trailer is not what was signed"),
        (lambda lines: [*lines, lines[-1]], "follows the trailer"),
        (lambda lines: [*lines[:2], lines[2][:20]], "cannot be read"),
        (lambda lines: [*lines[:2], '{"kind":"event"}\n', *lines[3:]], "lacks"),
        (lambda lines: [*lines[:2], lines[2].replace('"seq":', '"seq":"x","_":'), *lines[3:]], "has it wrong"),
        (lambda lines: [lines[0], lines[1].replace('"first_seq":', '"first_seq":"x","_":'), *lines[2:]], "has it wrong"),
        (lambda lines: [*lines[:2], lines[2].replace('"hash":"', '"hash":"\\ud800'), *lines[3:]], "is not what was recorded"),
        (lambda lines: [*lines[:-1], lines[-1].replace('"mac":"', '"mac":"\\ud800')], "trailer is not what was signed"),
        (lambda lines: [lines[0].replace('"scope":"chain",', ""), *lines[1:]], "no header of an audit export"),
        (lambda lines: [lines[0].replace('"head":', '"head":1,"_":'), *lines[1:]], "no header of an audit export"),
        (lambda lines: lines[1:], "no header"),
    ],
)
def test_promise_34_what_was_done_to_an_export_shows(files: tuple[Path, Path], verify: Any, change: Any, word: str) -> None:
    export, key = files
    export.write_text("".join(change(export.read_text().splitlines(keepends=True))))
    code, said = verify(export, key)
    assert code == 1
    assert word in said


def test_what_was_tampered_with_before_the_export_shows(
    alice: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str], verify: Any
) -> None:
    events = some_events(alice)
    tamper(events[1], outcome="refused")
    export = exported(alice, tmp_path / "export.jsonl")
    code, said = verify(export, key_file(alice, tmp_path / "key.json", capsys))
    assert code == 1
    assert "BROKEN at event 2" in said


def test_a_filtered_export_proves_its_events_and_no_more(
    alice: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str], verify: Any
) -> None:
    some_events(alice)
    export = exported(alice, tmp_path / "filtered.jsonl", {"action": "config."}, action=["config."])
    key = key_file(alice, tmp_path / "key.json", capsys)
    code, said = verify(export, key)
    assert code == 0
    assert "no chain shows whether others were left out" in said
    lines = export.read_text().splitlines(keepends=True)
    export.write_text("".join([*lines[:2], *lines[3:]]))
    code, said = verify(export, key)
    assert code == 1
    assert "are not those that were exported" in said


def test_heads_that_an_auditor_was_given_are_compared(
    alice: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str], verify: Any
) -> None:
    some_events(alice)
    write_heads()
    export = exported(alice, tmp_path / "export.jsonl")
    key = key_file(alice, tmp_path / "key.json", capsys)
    heads = tmp_path / "heads.jsonl"
    code, said = verify(export, key, "--heads", str(heads))
    assert code == 0
    assert "1 head written out" in said
    later = some_events(alice)
    write_heads()
    assert verify(export, key, "--heads", str(heads))[0] == 0  # it was made before they came
    remove(later[-1])
    AuditHead.objects.filter(pk=alice.organization.pk).update(seq=later[-2].seq, hash=later[-2].hash)
    cut = exported(alice, tmp_path / "cut.jsonl")
    code, said = verify(cut, key, "--heads", str(heads))
    assert code == 1
    assert "was written out on" in said
    heads.write_text("x\n" + heads.read_text())
    assert "Line 1 of the heads file" in verify(export, key, "--heads", str(heads))[1]


@pytest.mark.parametrize("told", [{}, {"q": "config"}])
def test_a_part_of_a_chain_is_compared_with_the_heads_of_its_events(
    alice: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str], verify: Any, told: dict[str, str]
) -> None:
    """Whoever has the key can make another history; a head that was handed over before tells it from the first."""
    events = some_events(alice)
    key, chain = key_file(alice, tmp_path / "key.json", capsys), alice.organization.pk
    path = tmp_path / "part.jsonl"
    if told:
        exported(alice, path, told, **told)
    else:
        path.write_text("".join(json_lines(chain, scope="range", about={}, until=4)))
    some_events(alice)
    write_heads()
    heads = tmp_path / "heads.jsonl"
    assert verify(path, key, "--heads", str(heads))[0] == 0
    content = {"at": events[2].at.isoformat(), "chain": str(chain), "seq": 3, "hash": "1" * 64, "key_id": events[2].key_id}
    heads.write_text(json.dumps(content | {"mac": mac(key_named(events[2].key_id, chain), FIRST, content)}) + "\n")
    code, said = verify(path, key, "--heads", str(heads))
    assert code == 1
    assert "Event 3 is another than the one that was written out" in said


def test_the_wrong_key_proves_nothing(
    alice: Person, mallory: Person, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], verify: Any
) -> None:
    export, key = files
    some_events(mallory)
    other = key_file(mallory, tmp_path / "other.json", capsys)
    assert verify(export, other)[0] == 2
    row = json.loads(key.read_text())
    key.write_text(json.dumps(row | {"keys": {}}))
    code, said = verify(export, key)
    assert code == 2
    assert "NOT VERIFIED" in said
    key.write_text("{}")
    assert verify(export, key)[0] == 1
    assert verify(tmp_path / "none", key)[0] == 2
    with pytest.raises(CommandError, match="goes with"):
        call_command("verify_audit", "--key-file", str(key))


def test_printing_a_key_is_recorded(alice: Person, files: tuple[Path, Path], settings: SettingsWrapper) -> None:
    assert AuditEvent.objects.get(action="audit.key_printed").actor == "operator"
    settings.KEK = "another-key-encryption-key-0123456789"
    with pytest.raises(CommandError, match="No present KEK"):
        call_command("verify_audit", "--print-key", alice.organization.slug)


def test_a_chain_without_an_event_has_a_key(mallory: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(json.loads(key_file(mallory, tmp_path / "key.json", capsys).read_text())["keys"]) == 1
