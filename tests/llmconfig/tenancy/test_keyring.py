"""The keyring: processes that run follow its files; a KMS may take its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured

from llmconfig.services.kek import keys_elsewhere, rewrap_keys
from llmconfig.tenancy.audit import SYSTEM
from llmconfig.tenancy.keyring import root_key
from llmconfig.tenancy.keys import data_key_for, data_key_named
from llmconfig.tenancy.models import DataKey
from llmconfig.vault import LocalRootKey, RootKey, Unreadable, root_id_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.people import Person

OLD = "old-key-encryption-key-0123456789-abcdef"
NEW = "new-key-encryption-key-9876543210-fedcba"


class Files:
    """A KEK in files, and how often they were read."""

    def __init__(self, folder: Path, settings: SettingsWrapper) -> None:
        self.kek, self.others, self.reads = folder / "kek", folder / "kek_others", 0
        self.weak = False
        self.write(OLD)
        settings.KEK, settings.KEK_OTHERS, settings.KEYRING_FILES, settings.READ_KEYRING = OLD, (), (self.kek, self.others), self.read

    def read(self) -> tuple[str, tuple[str, ...]]:
        self.reads += 1
        if self.weak:
            raise ImproperlyConfigured("KEK is weak.")
        return self.kek.read_text(), tuple(self.others.read_text().split())

    def write(self, kek: str, *others: str) -> None:
        for path, text in ((self.kek, kek), (self.others, " ".join(others))):
            fresh = path.with_name("fresh")
            fresh.write_text(text)
            fresh.replace(path)


@pytest.fixture
def files(tmp_path: Path, settings: SettingsWrapper) -> Files:
    return Files(tmp_path, settings)


def under(kek: str, person: Person) -> None:
    """As another process leaves it, which knew only this KEK."""
    row = DataKey.objects.get(organization=person.organization)
    material = data_key_for(person.organization.pk).material
    row.wrapped = LocalRootKey(kek).wrap(material, context=f"{person.organization.pk}|{row.key_id}")
    row.save()


def test_promise_2_a_running_process_follows_the_files_when_it_meets_a_key_that_it_does_not_know(alice: Person, files: Files) -> None:
    key = data_key_for(alice.organization.pk)
    files.write(NEW, OLD)
    under(NEW, alice)
    assert data_key_for(alice.organization.pk) == key
    assert root_key().key_id == LocalRootKey(NEW).key_id


def test_what_is_wrapped_is_wrapped_with_the_kek_that_the_files_hold_now(alice: Person, mallory: Person, files: Files) -> None:
    data_key_for(alice.organization.pk)
    files.write(NEW, OLD)
    data_key_for(mallory.organization.pk)
    assert root_id_of(bytes(DataKey.objects.get(organization=mallory.organization).wrapped)) == LocalRootKey(NEW).key_id


def test_a_foreign_ciphertext_makes_nobody_read_the_files_again_and_again(alice: Person, files: Files) -> None:
    data_key_for(alice.organization.pk)
    under("foreign-key-encryption-key-0123456789", alice)
    before = files.reads
    for _ in range(100):
        with pytest.raises(Unreadable):
            data_key_for(alice.organization.pk)
    assert files.reads <= before + 1


def test_a_keyring_that_cannot_be_used_is_logged_and_the_one_before_stays(
    alice: Person, mallory: Person, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    key = data_key_for(alice.organization.pk)
    files.weak = True
    files.write("weak")
    data_key_for(mallory.organization.pk)
    assert "KEK is weak" in caplog.text
    assert data_key_for(alice.organization.pk) == key
    assert root_key().key_id == LocalRootKey(OLD).key_id


class CountingRootKey(RootKey):
    """Stands for a KMS: its key stays inside, and each call is counted."""

    key_id = "kms-7"
    calls: ClassVar[list[str]] = []
    _inside: ClassVar = LocalRootKey("the-key-that-never-leaves-the-kms-01")

    def wrap(self, material: bytes, *, context: str) -> bytes:
        self.calls.append("wrap")
        return f"v1.{self.key_id}.".encode() + self._inside.wrap(material, context=context)

    def unwrap(self, wrapped: bytes, *, context: str) -> bytes:
        self.calls.append("unwrap")
        return self._inside.unwrap(wrapped.split(b".", 2)[2], context=context)


@pytest.fixture
def kms(settings: SettingsWrapper) -> Callable[[], list[str]]:
    """Switches to the KMS; its calls so far."""

    def switch() -> list[str]:
        settings.ROOT_KEY = f"{__name__}.CountingRootKey"
        CountingRootKey.calls.clear()
        return CountingRootKey.calls

    return switch


def test_a_root_key_of_a_kms_is_asked_once_for_each_data_key(alice: Person, settings: SettingsWrapper, kms: Any) -> None:
    calls = kms()
    settings.KEK = ""
    key = data_key_for(alice.organization.pk)
    for _ in range(50):
        assert data_key_named(alice.organization.pk, key.key_id) == key
    assert calls == ["wrap", "unwrap"]
    assert root_id_of(bytes(DataKey.objects.get().wrapped)) == "kms-7"


def test_a_kms_takes_over_from_the_kek(alice: Person, settings: SettingsWrapper, kms: Any) -> None:
    key = data_key_for(alice.organization.pk)
    calls = kms()
    assert data_key_for(alice.organization.pk) == key
    assert calls == []
    assert keys_elsewhere() == 1
    assert rewrap_keys(actor=SYSTEM).keys == 1
    assert keys_elsewhere() == 0
    settings.KEK = ""
    assert data_key_for(alice.organization.pk) == key


@pytest.mark.parametrize("path", ["no.such.module.Root", "llmconfig.tenancy.models.DataKey"])
def test_what_is_no_root_key_is_named(settings: SettingsWrapper, path: str) -> None:
    settings.ROOT_KEY = path
    with pytest.raises(ImproperlyConfigured, match="ROUTEKIT_ROOT_KEY"):
        root_key()
