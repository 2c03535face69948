"""Rotating the KEK: nothing is left under the old one, and whenever the process is killed both are at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.services.kek import keys_by_root, keys_elsewhere, rewrap_keys
from llmconfig.services.kek_files import KekFiles
from llmconfig.services.kek_rotation import KekRotation, kek_status
from llmconfig.tenancy.audit import INSTALLATION, SYSTEM, AuditEvent, record
from llmconfig.tenancy.audit.keys import key_named
from llmconfig.tenancy.keyring import root_key
from llmconfig.tenancy.keys import data_key_for
from llmconfig.tenancy.models import DataKey
from llmconfig.vault import LocalRootKey

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.people import Person

OLD = "old-key-encryption-key-0123456789-abcdef"
NEW = "new-key-encryption-key-9876543210-fedcba"


class Killed(Exception):
    pass


@pytest.fixture
def ours(tmp_path: Path, settings: SettingsWrapper) -> KekFiles:
    """The files of the embedded mode."""
    files = KekFiles(tmp_path / "kek", tmp_path / "kek_others")
    files.kek.write_text(OLD + "\n")
    settings.KEK, settings.KEK_OTHERS, settings.KEYRING_FILES, settings.KEYRING_IS_OURS = OLD, (), (files.kek, files.others), True
    settings.READ_KEYRING = lambda: (files.kek.read_text().strip(), tuple(files._others()))
    settings.ROTATION_GRACE_S = 0.0
    return files


def rotate(*, wait: bool = True) -> tuple[list[str], str]:
    said: list[str] = []
    with KekRotation(actor=SYSTEM, say=said.append) as rotation:
        return rotation.run(wait=wait), "\n".join(said)


def test_promise_2_add_promote_rewrap_retire(alice: Person, mallory: Person, ours: KekFiles) -> None:
    keys = [data_key_for(person.organization.pk) for person in (alice, mallory)]
    event = record("organization.created", actor=SYSTEM, organization=None)
    stuck, said = rotate()
    assert stuck == []
    assert "retired" in said
    fresh = ours.kek.read_text().strip()
    assert (fresh != OLD, len(fresh) >= 32, ours.others.exists()) == (True, True, False)
    assert ours.kek.stat().st_mode & 0o777 == 0o600
    assert keys_by_root() == {LocalRootKey(fresh).key_id: 3}
    assert [data_key_for(person.organization.pk) for person in (alice, mallory)] == keys
    assert key_named(event.key_id, INSTALLATION)
    told = AuditEvent.objects.get(action="kek.promoted")
    assert (told.chain, told.object_id, told.details) == (
        INSTALLATION,
        LocalRootKey(fresh).key_id,
        {"previous": [LocalRootKey(OLD).key_id]},
    )
    assert OLD not in said
    assert fresh not in said


@pytest.mark.parametrize("step", range(6))
def test_promise_2_killed_at_any_step_it_goes_on_and_opens_everything_meanwhile(
    alice: Person, mallory: Person, ours: KekFiles, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    keys = [data_key_for(person.organization.pk) for person in (alice, mallory)]
    _kill_at(step, monkeypatch)
    with pytest.raises(Killed):
        rotate()
    monkeypatch.undo()
    assert [data_key_for(person.organization.pk) for person in (alice, mallory)] == keys
    rotate()
    fresh = ours.kek.read_text().strip()
    assert fresh != OLD
    assert set(keys_by_root()) == {LocalRootKey(fresh).key_id}
    assert not ours.others.exists()
    assert [data_key_for(person.organization.pk) for person in (alice, mallory)] == keys


def _kill_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first and second file, after both, before the first and second key, before the old KEK is retired."""
    from llmconfig.services import kek, kek_files

    counted = {"replace": 0, "rewrap": 0}

    def counting(name: str, real: Any, kill: int | None) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            if counted[name] == kill:
                raise Killed
            counted[name] += 1
            return real(*arguments, **named)

        return call

    monkeypatch.setattr(kek_files, "write_private", counting("replace", kek_files.write_private, step if step < 2 else None))
    monkeypatch.setattr(kek, "rewrapped", counting("rewrap", kek.rewrapped, step - 2 if 2 <= step < 4 else None))
    if step == 4:
        monkeypatch.setattr(KekFiles, "retire", _killed)
    if step == 5:
        monkeypatch.setattr("llmconfig.services.kek_rotation.rewrap_keys", _killed)


def _killed(*arguments: Any, **named: Any) -> None:
    raise Killed


def test_the_old_kek_stays_while_somebody_may_still_use_it(alice: Person, ours: KekFiles, settings: SettingsWrapper) -> None:
    data_key_for(alice.organization.pk)
    settings.ROTATION_GRACE_S = 3600.0
    _, said = rotate(wait=False)
    assert "again" in said
    assert OLD in ours.others.read_text()
    settings.ROTATION_GRACE_S = 0.0
    promoted = ours.kek.read_text()
    _, said = rotate()
    assert "goes on" in said
    assert (ours.kek.read_text(), ours.others.exists()) == (promoted, False)


def test_two_do_not_rotate_at_once(ours: KekFiles, db: None) -> None:
    with ours.locked(), pytest.raises(BlockingIOError):
        rotate()


def test_where_the_operator_keeps_the_kek_only_the_rewrap_is_ours(alice: Person, settings: SettingsWrapper) -> None:
    key = data_key_for(alice.organization.pk)
    settings.KEK, settings.KEK_OTHERS = NEW, (settings.KEK,)
    assert keys_elsewhere() == 1
    assert ["another that opens" in line for line in kek_status()] == [True]
    stuck, said = rotate()
    assert (stuck, keys_elsewhere()) == ([], 0)
    assert "empty KEK_OTHERS" in said
    settings.KEK_OTHERS = ()
    assert data_key_for(alice.organization.pk) == key
    assert rewrap_keys(actor=SYSTEM).keys == 0
    assert AuditEvent.objects.filter(action="kek.promoted").count() == 1


def test_a_key_that_no_kek_opens_is_left_as_it_is_and_named(alice: Person, mallory: Person, settings: SettingsWrapper) -> None:
    data_key_for(alice.organization.pk)
    kept = DataKey.objects.get()
    settings.KEK = NEW
    data_key_for(mallory.organization.pk)
    stuck, _ = rotate()
    assert stuck == [f"data key {kept.key_id}"]
    assert bytes(DataKey.objects.get(pk=kept.pk).wrapped) == bytes(kept.wrapped)
    assert root_key().key_id == LocalRootKey(NEW).key_id
