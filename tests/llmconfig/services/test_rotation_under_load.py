"""Keys rotate while requests run: none fails, and nothing is left under an old key."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from llmconfig.models import UserLLMConfig
from llmconfig.services import finish_rotations, open_credentials, promote_data_key, reseal_organization
from llmconfig.services.kek import keys_by_root
from llmconfig.services.kek_files import KekFiles
from llmconfig.services.kek_rotation import KekRotation
from llmconfig.tenancy.audit import SYSTEM
from llmconfig.tenancy.keys import data_key_for, open_for
from llmconfig.tenancy.models import DataKey, Organization
from llmconfig.tenancy.resealing import values_by_key
from llmconfig.vault import LocalRootKey
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.people import Person

URL = "/api/user/llm-config"
THREADS = 4
ROTATIONS = 4


class Load:
    """Requests from several threads until `stop`: configs made (twice, by an Idempotency-Key), given new keys, renamed, opened, deleted."""

    def __init__(self, alice: Person) -> None:
        self._stop = threading.Event()
        self.failures: list[str] = []
        self.requests = 0
        self._lock = threading.Lock()
        self._round = threading.Condition()
        self._rounds = 0
        self._alice = alice
        self._threads = [threading.Thread(target=self._run, args=(alice.client(), number)) for number in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def rounds(self, number: int) -> None:
        """Wait until the threads have done this many more rounds."""
        with self._round:
            goal = self._rounds + number
            assert self._round.wait_for(lambda: self._rounds >= goal or bool(self.failures), timeout=90)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, api: Any, number: int) -> None:
        try:
            count = 0
            while not self._stop.is_set() and not self.failures:
                count += 1
                self._one(api, f"sk-thread-{number}-round-{count:06d}")
                with self._round:
                    self._rounds += 1
                    self._round.notify_all()
        except Exception as error:
            self.failures.append(repr(error))
            raise
        finally:
            connection.close()

    def _one(self, api: Any, key: str) -> None:
        again = {"HTTP_IDEMPOTENCY_KEY": str(uuid.uuid4())}
        body = {"provider_type": "anthropic", "api_key": key, "name": key.removeprefix("sk-")}
        made = self._sent(api.post(URL, body, **again), 201)
        assert self._sent(api.post(URL, body, **again), 201) == made
        one = f"{URL}/{made['id']}"
        self._opens(made["id"], key)
        self._sent(api.patch(one, {"api_key": f"{key}-new"}), 200)
        self._opens(made["id"], f"{key}-new")
        self._sent(api.patch(one, {"name": "renamed"}), 200)
        assert self._sent(api.get(one), 200)["status"] == "untested"
        if key.endswith("3"):
            self._sent(api.delete(one), 204)
        founder = person(f"founder-{uuid.uuid4().hex[:8]}")  # whose organization wraps a first key of its own
        data_key_for(founder.organization.pk)

    def _opens(self, id: str, key: str) -> None:
        opened = open_credentials(UserLLMConfig.objects.get(pk=id)).api_key
        assert opened is not None
        assert opened.reveal() == key

    def _sent(self, answer: Any, expected: int) -> Any:
        with self._lock:
            self.requests += 1
        if answer.status_code != expected:
            self.failures.append(f"{answer.status_code} {answer.content.decode()}")
        assert answer.status_code == expected
        return answer.json() if answer.content else None


@pytest.mark.django_db(transaction=True)
def test_promise_2_data_keys_and_kek_rotate_while_requests_run(tmp_path: Path, settings: SettingsWrapper) -> None:
    settings.ROTATION_GRACE_S = 0.0  # nothing but the locks holds the old key
    alice = person("alice")
    load = Load(alice)
    first = data_key_for(alice.organization.pk).key_id
    try:
        for _ in range(ROTATIONS):
            load.rounds(4)
            assert not promote_data_key(organization=alice.organization, actor=SYSTEM).resumed
            result = reseal_organization(alice.organization.pk)
            assert (result.stuck, result.busy) == (set(), 0)
            load.rounds(1)
            finish_rotations()
        _rotate_kek(load, tmp_path, settings)
    finally:
        load.stop()
    assert load.failures == []
    finish_rotations()
    current = data_key_for(alice.organization.pk).key_id
    counted = values_by_key(alice.organization.pk)
    assert (set(counted), counted[""], current != first) == ({current, ""}, 0, True)
    for row in UserLLMConfig.objects.all():
        assert open_for(row, "api_key").reveal().endswith("-new")
    for organization in Organization.objects.filter(data_keys__isnull=False):
        assert data_key_for(organization.pk)
    assert load.requests > 100
    assert DataKey.objects.exclude(retired_at=None).count() == 0


def _rotate_kek(load: Load, folder: Path, settings: SettingsWrapper) -> None:
    """From files, as in the embedded mode; this process follows them, as any other would."""
    files = KekFiles(folder / "kek", folder / "kek_others")
    files.kek.write_text(settings.KEK)
    settings.KEYRING_FILES, settings.READ_KEYRING = (
        (files.kek, files.others),
        lambda: (files.kek.read_text().strip(), tuple(files._others())),
    )
    settings.KEYRING_IS_OURS, settings.ROTATION_GRACE_S = True, 2.0
    with KekRotation(actor=SYSTEM, say=lambda line: None) as rotation:
        assert rotation.run(wait=True) == []
    load.rounds(4)
    fresh = files.kek.read_text().strip()
    assert (fresh != settings.KEK, files.others.exists()) == (True, False)
    assert set(keys_by_root()) == {LocalRootKey(fresh).key_id}
