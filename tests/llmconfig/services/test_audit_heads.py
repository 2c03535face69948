"""Heads are written out when a chain has grown, to the disk, for their owner alone; the last one of a chain is never nowhere."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from llmconfig.services import audit_heads
from llmconfig.services.audit_heads import read_heads, write_heads
from llmconfig.tenancy.audit import AuditHead
from tests.llmconfig.tampering import remove, some_events

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(settings: SettingsWrapper, tmp_path: Path) -> Path:
    settings.AUDIT_HEADS_FILE = str(tmp_path / "kept" / "heads.jsonl")
    return tmp_path / "kept" / "heads.jsonl"


def test_a_head_is_written_when_its_chain_has_grown(alice: Person, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    events = some_events(alice)
    caplog.set_level(logging.INFO, "routekit.audit")
    written = write_heads()
    assert written >= 1
    assert write_heads() == 0
    row = next(json.loads(line) for line in path.read_text().splitlines() if str(alice.organization.pk) in line)
    assert set(row) == {"at", "chain", "seq", "hash", "key_id", "mac"}
    assert (row["seq"], row["hash"]) == (events[-1].seq, events[-1].hash)
    assert path.stat().st_mode & 0o777 == 0o600
    assert row["mac"] in caplog.text
    some_events(alice, 1)
    assert write_heads() == 1


def test_without_an_event_there_is_no_file(path: Path) -> None:
    assert write_heads() == 0
    assert not path.exists()


def test_what_a_killed_writer_left_is_taken_away(alice: Person, path: Path) -> None:
    some_events(alice)
    write_heads()
    with path.open("a") as file:
        file.write('{"at":"20')
    assert not read_heads(path).damaged
    some_events(alice)
    write_heads()
    found = read_heads(path)
    assert not found.damaged
    assert len(found.by_chain[alice.organization.pk]) == 2


def test_a_file_that_is_full_goes_on_with_every_last_head(
    alice: Person, mallory: Person, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_events(alice)
    some_events(mallory)
    write_heads()
    monkeypatch.setattr(audit_heads, "ROTATE_AT", 10)
    last = some_events(alice)[-1]
    write_heads()
    assert {chain: len(heads) for chain, heads in read_heads(path).by_chain.items() if chain == alice.organization.pk} == {last.chain: 1}
    assert read_heads(path).by_chain[last.chain][0].seq == last.seq
    assert mallory.organization.pk in read_heads(path).by_chain
    assert len(read_heads(path.with_name("heads.jsonl.1")).by_chain[last.chain]) == 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert write_heads() == 0


def test_a_chain_that_shrank_is_told_and_its_head_kept(alice: Person, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    events = some_events(alice)
    write_heads()
    remove(events[-1])
    AuditHead.objects.filter(pk=alice.organization.pk).update(seq=events[-2].seq, hash=events[-2].hash)
    assert write_heads() == 0
    assert f"but event {events[-1].seq} was written out before" in caplog.text
    AuditHead.objects.filter(pk=alice.organization.pk).update(seq=events[-1].seq + 5)
    assert write_heads() == 0
    assert "is gone" in caplog.text


def test_without_its_key_a_head_is_not_signed(
    alice: Person, path: Path, settings: SettingsWrapper, caplog: pytest.LogCaptureFixture
) -> None:
    some_events(alice)
    settings.KEK = "another-key-encryption-key-0123456789"
    assert write_heads() == 0
    assert "cannot be signed" in caplog.text


def test_the_worker_writes_them_when_it_ends(
    alice: Person, path: Path, caplog: pytest.LogCaptureFixture, settings: SettingsWrapper
) -> None:
    from llmconfig import tasks

    some_events(alice)
    tasks._write_last_heads()
    assert path.is_file()
    settings.AUDIT_HEADS_FILE = str(path / "below" / "a-file")
    tasks._write_last_heads()
    assert "could not be written" in caplog.text
