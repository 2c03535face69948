"""`manage.py rotate_keys`: what it says, what it refuses, and that a killed one goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from llmconfig.management.commands import rotate_keys
from llmconfig.management.progress import Progress
from llmconfig.models import UserLLMConfig
from llmconfig.tenancy import resealing
from llmconfig.tenancy.audit import AuditEvent
from llmconfig.tenancy.keys import data_key_for, open_for
from llmconfig.tenancy.models import DataKey, IdempotencyRecord, Organization
from llmconfig.tenancy.resealing import values_by_key
from llmconfig.tenancy.sealed import Sealed
from tests.llmconfig.people import person
from tests.llmconfig.tenancy.sealed_rows import answer_of, config_of

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.people import Person

ROOT = Path(__file__).resolve().parents[2]
ROWS = 1200
KILLED_MIDWAY = """
import os, sys, django
django.setup()
from django.core.management import call_command
from django.db import connection
connection.settings_dict["NAME"] = os.environ["TEST_DATABASE_NAME"]
from llmconfig.tenancy import resealing
resealing.BATCH = 50
written, write = 0, resealing._write
def wait_after_ten(*arguments):
    global written
    done = write(*arguments)
    written += bool(done)
    if written == 10:
        print("midway", flush=True)
        sys.stdin.read()
    return done
resealing._write = wait_after_ten
call_command("rotate_keys")
"""


@pytest.fixture(autouse=True)
def _no_grace(settings: SettingsWrapper) -> None:
    settings.ROTATION_GRACE_S = 0.0


def rotate(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_keys", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_every_organization_gets_a_new_key_and_loses_the_old_one(alice: Person, mallory: Person) -> None:
    rows = [config_of(alice, "key-of-alice"), config_of(mallory, "key-of-mallory")]
    before = {data_key_for(each.organization.pk).key_id for each in (alice, mallory)}
    said = rotate()
    assert "2 organizations done, 2 old data keys deleted" in said
    assert before.isdisjoint(DataKey.objects.values_list("key_id", flat=True))
    for row in rows:
        row.refresh_from_db()
        assert open_for(row, "api_key").reveal() == row.name
        assert row.name not in said
    assert {event.actor for event in AuditEvent.objects.filter(action="keys.rotated")} == {"operator"}


def test_one_organization_alone(alice: Person, mallory: Person) -> None:
    kept = {each: data_key_for(each.organization.pk) for each in (alice, mallory)}
    rotate("--organization", "alice")
    assert data_key_for(alice.organization.pk) != kept[alice]
    assert data_key_for(mallory.organization.pk) == kept[mallory]
    with pytest.raises(CommandError, match="no organization 'nobody'"):
        rotate("--organization", "nobody")


@pytest.mark.parametrize("flags", [["--status"], ["--dry-run"], ["--kek", "--dry-run"]])
def test_a_look_changes_nothing(alice: Person, flags: list[str]) -> None:
    row = config_of(alice, "key-of-alice")
    key = data_key_for(alice.organization.pk).key_id
    said = rotate(*flags)
    assert said
    if "--status" in flags:
        assert f"alice: data key {key} (current) seals 2" in said
        assert "(current) wraps 1 key" in said
    kept = row.api_key
    row.refresh_from_db()
    assert (row.api_key, list(DataKey.objects.values_list("key_id", flat=True))) == (kept, [key])
    assert not AuditEvent.objects.exists()


def test_what_cannot_be_opened_is_listed_and_the_command_fails(alice: Person) -> None:
    row = config_of(alice, "key-of-alice")
    damaged = Sealed(row.api_key.text[:-6] + "AAAAAA")
    UserLLMConfig.objects.filter(pk=row.pk).update(api_key=damaged)
    with pytest.raises(
        CommandError, match=f"1 could not be opened, and were left as they are:\n  llmconfig.UserLLMConfig {row.pk} api_key"
    ):
        rotate()
    row.refresh_from_db()
    assert row.api_key == damaged
    assert "seals 1" in rotate("--status")


def test_under_another_kek_it_fails_and_changes_nothing_until_told_to_start_over(alice: Person, settings: SettingsWrapper) -> None:
    row = config_of(alice, "key-of-alice")
    settings.KEK = "restored-under-another-kek-0123456789"
    with pytest.raises(CommandError, match="the data key of organization alice"):
        rotate()
    assert DataKey.objects.count() == 1
    with pytest.raises(CommandError, match="2 could not be opened"):
        rotate("--organization", "alice", "--start-over")
    assert DataKey.objects.count() == 2
    kept = row.api_key
    row.refresh_from_db()
    assert row.api_key == kept


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("before", ["promote_data_key", "reseal_organization", "reseal_organization, with its values read"])
def test_an_organization_deleted_meanwhile_stops_no_other(before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, mallory = person("alice"), person("mallory")  # in this order they are rotated
    config_of(alice, "key-of-alice")
    row = config_of(mallory, "key-of-mallory")
    module, name = (resealing, "_changes") if "read" in before else (rotate_keys, before)
    real = getattr(module, name)

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        Organization.objects.filter(pk=alice.organization.pk).delete()
        return real(*arguments, **named)

    monkeypatch.setattr(module, name, meanwhile)
    assert "1 old data keys deleted" in rotate()
    row.refresh_from_db()
    assert open_for(row, "api_key").reveal() == "key-of-mallory"
    assert DataKey.objects.values_list("organization", flat=True).get() == mallory.organization.pk


def test_the_kek_belongs_to_no_organization(alice: Person) -> None:
    with pytest.raises(CommandError, match="--kek is about all"):
        rotate("--kek", "--organization", "alice")


def test_where_the_operator_keeps_the_kek_it_says_when_the_old_one_may_go(alice: Person, settings: SettingsWrapper) -> None:
    data_key_for(alice.organization.pk)
    settings.KEK, settings.KEK_OTHERS = "new-key-encryption-key-9876543210-fedcba", (settings.KEK,)
    assert "empty KEK_OTHERS" in rotate("--kek")


@pytest.mark.django_db(transaction=True)
def test_promise_2_killed_midway_it_goes_on_when_run_again() -> None:
    alice = person("alice")
    for number in range(ROWS):
        answer_of(alice, f"answer {number}")
    old = data_key_for(alice.organization.pk).key_id
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "routekit.settings",
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
        "ROUTEKIT_ROTATION_GRACE": "0",
    }
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_MIDWAY], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert any("midway" in line for line in first.stdout)
        first.send_signal(signal.SIGKILL)
        first.wait()
    counted = values_by_key(alice.organization.pk)
    assert 0 < counted[old] < ROWS
    for row in IdempotencyRecord.objects.all():
        assert open_for(row, "body").reveal() == row.key
    current = data_key_for(alice.organization.pk).key_id
    said = rotate()
    assert f"goes on under data key {current}: {counted[old]:,} values" in said
    assert values_by_key(alice.organization.pk) == {current: ROWS, "": 0}
    for row in IdempotencyRecord.objects.all():
        assert open_for(row, "body").reveal() == row.key
    assert "has the new data key" in rotate()


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_a_bar_and_a_file_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.management.base import OutputWrapper

    from llmconfig.management import progress

    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    shown = {}
    for out in (Terminal(), StringIO()):
        bar = Progress(OutputWrapper(out), "alice", 100)
        for _ in range(4):
            now[0] += 3
            bar.advance(25)
        bar.close()
        shown[out.isatty()] = out.getvalue()
    assert shown[True].split("\r")[2] == f"alice [{'#' * 15}{'.' * 15}] 50 of 100"
    assert shown[True].endswith("100 of 100\n")
    assert shown[False] == "alice: 50 of 100\nalice: 100 of 100\n"
