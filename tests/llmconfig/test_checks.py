"""System checks: quick, without a vendor's SDK, and honest about a KEK that does not fit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from llmconfig.checks import UNREADABLE_KEK, kek_fits
from llmconfig.services import kek_problem, warn_at_start
from llmconfig.tenancy.keys import data_key_for
from llmconfig.tenancy.models import DataKey

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

ROOT = Path(__file__).resolve().parents[2]
SLOW = ("anthropic", "openai", "mcp", "google.genai", "aiohttp", "httpx2", "genai_prices", "redis")
CHECK = """
import sys
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "check"])
print(*[name for name in {slow!r} if name in sys.modules])
"""


def check(tmp_path: Path) -> tuple[str, float]:
    """Its output, and the seconds of CPU it took, which other work on the machine does not change."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-c", CHECK.format(slow=SLOW)], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    after = os.times()
    return done.stdout, after.children_user + after.children_system - before.children_user - before.children_system


def test_check_takes_a_second_and_loads_nothing_that_is_slow_and_needed_later(tmp_path: Path) -> None:
    check(tmp_path)  # compiles
    found, seconds = min((check(tmp_path) for _ in range(3)), key=lambda each: each[1])
    assert found.splitlines()[-1] == ""
    assert seconds <= 1.0


def test_a_kek_that_fits(alice: Person) -> None:
    assert kek_problem() == ""
    data_key_for(alice.organization.pk)
    assert kek_fits(databases=["default"]) == []


def test_a_kek_that_does_not_fit_warns_and_starts(alice: Person, settings, capsys: pytest.CaptureFixture[str]) -> None:
    """security.md, promise 7."""
    data_key_for(alice.organization.pk)
    settings.KEK = "restored-under-another-kek-0123456789"
    [warning] = kek_fits(databases=["default"])
    assert warning.id == UNREADABLE_KEK
    call_command("check", databases=["default"])
    assert UNREADABLE_KEK in capsys.readouterr().err


def test_it_tells_how_many_organizations_are_concerned(alice: Person, mallory: Person, settings) -> None:
    data_key_for(alice.organization.pk)
    kek, settings.KEK = settings.KEK, "restored-under-another-kek-0123456789"
    data_key_for(mallory.organization.pk)
    assert "data keys of 1 of 2 organizations" in kek_problem()
    settings.KEK_OTHERS = (kek,)
    assert kek_problem() == ""


def test_a_key_that_is_damaged_does_not_open_though_its_kek_is_here(alice: Person) -> None:
    data_key_for(alice.organization.pk)
    row = DataKey.objects.get()
    DataKey.objects.update(wrapped=bytes(row.wrapped)[:-4] + b"xxxx")
    assert "1 of 1 organization:" in kek_problem()


@pytest.mark.parametrize("command", ["create_token", "import_env_keys", "rotate_keys", "sweep_runs"])
def test_promise_7_every_command_of_ours_warns(alice: Person, settings, capsys: pytest.CaptureFixture[str], command: str) -> None:
    data_key_for(alice.organization.pk)
    settings.KEK = "restored-under-another-kek-0123456789"
    arguments = {"create_token": ["alice"], "import_env_keys": ["--user", "alice"], "rotate_keys": ["--status"]}.get(command, [])
    call_command(command, *arguments, skip_checks=False)
    assert UNREADABLE_KEK in capsys.readouterr().err


def test_a_process_that_starts_never_fails_for_its_judgement(
    alice: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> str:
        raise RuntimeError

    monkeypatch.setattr("llmconfig.services.canary.kek_problem", broken)
    warn_at_start()
    assert "could not be judged" in caplog.text


def test_without_a_database_nothing_is_asked() -> None:
    assert kek_fits() == []
