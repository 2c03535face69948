"""Shredding: what an organization sealed stays closed, in every process and in the live database's files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from llmconfig.models import UserLLMConfig
from llmconfig.services import shred_keys
from llmconfig.tenancy.keys import data_key_for, open_for
from llmconfig.tenancy.models import DataKey, Organization
from llmconfig.vault import Unreadable
from tests.database_files import database_files
from tests.llmconfig.people import person
from tests.llmconfig.tenancy.sealed_rows import config_of

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

ROOT = Path(__file__).resolve().parents[3]
OPENS = """
import os, sys, django
django.setup()
from django.db import connection
connection.settings_dict["NAME"] = os.environ["TEST_DATABASE_NAME"]
from llmconfig.models import UserLLMConfig
from llmconfig.tenancy.keys import open_for
from llmconfig.vault import Unreadable
for _ in sys.stdin:
    try:
        print(open_for(UserLLMConfig.objects.get(), "api_key").reveal(), flush=True)
    except Unreadable:
        print("unreadable", flush=True)
    connection.close()
"""


def test_nothing_opens_any_more_though_it_was_open_before(alice: Person, mallory: Person) -> None:
    row, other = config_of(alice, "key-of-alice"), config_of(mallory, "key-of-mallory")
    assert open_for(row, "api_key").reveal() == "key-of-alice"
    assert shred_keys(alice.organization) == 1
    with pytest.raises(Unreadable):
        open_for(row, "api_key")
    assert open_for(other, "api_key").reveal() == "key-of-mallory"


def test_a_key_made_afterwards_opens_nothing_of_before(alice: Person) -> None:
    row = config_of(alice, "key-of-alice")
    shred_keys(alice.organization)
    data_key_for(alice.organization.pk)
    with pytest.raises(Unreadable):
        open_for(row, "api_key")


@pytest.mark.django_db(transaction=True)
def test_another_process_that_had_it_open_opens_it_no_more() -> None:
    import os

    alice = person("alice")
    config_of(alice, "key-of-alice")
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "routekit.settings", "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"])}
    with subprocess.Popen(
        [sys.executable, "-c", OPENS], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None

        def asked() -> str:
            other.stdin.write("\n")
            other.stdin.flush()
            return str(other.stdout.readline()).strip()

        assert asked() == "key-of-alice"
        shred_keys(alice.organization)
        assert asked() == "unreadable"
        other.stdin.close()


@pytest.mark.django_db(transaction=True)
def test_the_wrapped_key_leaves_the_files_of_the_live_database() -> None:
    alice = person("alice")
    config_of(alice, "key-of-alice")
    row = DataKey.objects.get()
    traces = [bytes(row.wrapped)[12:], row.key_id.encode()]
    if connection.vendor == "sqlite":
        assert any(traces[0] in file for file in database_files(connection.settings_dict["NAME"]).values())
    shred_keys(alice.organization)
    UserLLMConfig.objects.all().delete()  # ciphertexts name the key, and that is all they may
    if connection.vendor == "sqlite":
        assert not any(traces[0] in file for file in database_files(connection.settings_dict["NAME"]).values())
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'llmconfig_datakey'")
            assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("way", ["instance", "queryset", "admin"])
def test_however_an_organization_is_deleted_its_keys_go_first(mallory: Person, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmconfig.tenancy import shredding

    shredded: list[Organization] = []
    real = shredding.shred_keys
    monkeypatch.setattr(shredding, "shred_keys", lambda organization: shredded.append(organization) or real(organization))
    data_key_for(mallory.organization.pk)
    if way == "instance":
        mallory.organization.delete()
    elif way == "queryset":
        Organization.objects.filter(pk=mallory.organization.pk).delete()
    else:
        operator = get_user_model().objects.create_superuser("operator", password=None)
        browser = Client()
        browser.force_login(operator)
        browser.post(f"/admin/llmconfig/organization/{mallory.organization.pk}/delete/", {"post": "yes"})
    assert [each.slug for each in shredded] == ["mallory"]
    assert not DataKey.objects.exists()
