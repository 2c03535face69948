"""`make up`: starts, keeps running, stops; and says what is wrong when it cannot."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.ollama import FakeOllama
from tests.routekit.stack import Stack, free_port, gone, processes_of

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]
NAMES = ("web", "worker", "beat", "demo", "valkey")


def wait_until(holds, within=20.0):
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    stack = Stack(tmp_path_factory.mktemp("up") / "home", ROUTEKIT_ADMIN_PASSWORD="alice-has-a-long-password")
    yield stack
    stack.close()


def test_says_once_where_it_is_and_how_to_sign_in(running):
    running.wait_for(f"^Ready: {running.url}$")
    running.wait_for("^Sign in: admin / alice-has-a-long-password$")

    assert status(running.url + "/readyz") == 200
    written = running.home / "first-admin.txt"
    assert written.read_text() == "Sign in: admin / alice-has-a-long-password\n"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_keys_are_their_owners_alone(running):
    running.wait_for("^Ready:")

    assert stat.S_IMODE(running.home.stat().st_mode) == 0o700
    for name in ("keys/secret_key", "keys/kek", "run/redis.url", "embedded.json"):
        assert stat.S_IMODE((running.home / name).stat().st_mode) == 0o600, name


def test_pid_files_name_living_children(running):
    running.wait_for("^Ready:")

    assert {name: psutil.Process(running.pid_of(name)).ppid() for name in NAMES} == dict.fromkeys(NAMES, running.pid)


def test_children_do_not_see_the_first_password(running):
    running.wait_for("^Ready:")

    for name in NAMES:
        assert "ROUTEKIT_ADMIN_PASSWORD" not in psutil.Process(running.pid_of(name)).environ()


@pytest.mark.parametrize("name", NAMES)
def test_starts_again_what_dies(running, name):
    running.wait_for("^Ready:")
    before = running.pid_of(name)

    os.kill(before, signal.SIGKILL)

    running.wait_for(rf"^{name} ended \(killed by SIGKILL\) and starts again in \S+ s\.$")
    wait_until(lambda: (running.home / "run" / f"{name}.pid").exists() and running.pid_of(name) != before)
    wait_until(lambda: status(running.url + "/readyz") == 200)
    assert psutil.Process(running.pid_of(name)).ppid() == running.pid


def test_one_supervisor_a_home(running):
    running.wait_for("^Ready:")
    second = Stack(running.home)

    assert second.wait() == 1
    second.wait_for(f"already runs on {running.home}, as process {running.pid}")
    assert status(running.url + "/healthz") == 200


def test_keys_of_the_environment_are_tested_at_the_first_start(tmp_path):
    with FakeAnthropic() as vendor, FakeOllama() as ollama:
        keys = {
            "ANTHROPIC_API_KEY": "sk-ant-alice-0123456789-wxyz",
            "ANTHROPIC_BASE_URL": vendor.base_url,
            "OPENAI_API_KEY": "sk-openai-alice-0123456789",
            "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
            "OLLAMA_HOST": ollama.host,
        }
        stack = Stack(tmp_path / "home", **keys, ROUTEKIT_PRIVATE_HOSTS=f"{vendor.host},127.0.0.1:1")
        try:
            stack.wait_for("^Ready:")
        finally:
            stack.close()

    stack.wait_for(f"^OLLAMA_HOST: base URLs may name {ollama.host}, even where it is private ")
    stack.wait_for("^Testing the keys of Anthropic, OpenAI, Ollama…$")
    stack.wait_for("^Anthropic: works, 2 models$")
    stack.wait_for("^OpenAI: saved, but: ")
    stack.wait_for("^Ollama: works, 2 models$")
    assert ollama.host in json.loads((tmp_path / "home" / "embedded.json").read_text())["private_hosts"]


def test_stops_everything_and_keeps_its_data(tmp_path):
    home = tmp_path / "home"
    first = Stack(home)
    try:
        first.wait_for("^Ready:")
        port = first.port
        admin = _users(home)
        keys = [(home / "keys" / name).read_text() for name in ("secret_key", "kek")]
        first.signal(signal.SIGTERM)
        began = time.monotonic()
        assert first.wait() == 0
        assert time.monotonic() - began < 9
        assert processes_of(home) == []
        assert not list((home / "run").glob("*.pid"))
    finally:
        first.close()

    second = Stack(home, PORT=str(port))
    try:
        second.wait_for("^Ready:")
        assert "Sign in:" not in second.said()
        assert _users(home) == admin
        assert [(home / "keys" / name).read_text() for name in ("secret_key", "kek")] == keys
        second.signal(signal.SIGKILL)
        second.wait()
        if os.uname().sysname == "Linux":
            assert gone(home, within=2.0)
    finally:
        second.close()


def _users(home: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(home / "routekit.sqlite3") as database:
        return database.execute("SELECT id, username FROM llmconfig_user").fetchall()


def test_an_occupied_port_is_named_with_its_process(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        stack = Stack(tmp_path / "home", PORT=str(port))
        code = stack.wait()

    assert code == 1
    stack.wait_for(f"^Port {port} is in use by process {os.getpid()} ")
    stack.wait_for(f"PORT={port + 1} make up")
    assert "Traceback" not in stack.said()


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    if os.geteuid() == 0:
        home = Path("/proc/routekit")  # nobody makes a folder there, root included
    else:
        (tmp_path / "locked").mkdir(mode=0o500)
        home = tmp_path / "locked" / "home"
    stack = Stack(home)

    assert stack.wait() == 1
    stack.wait_for(f"^{home} cannot be written")
    stack.wait_for("ROUTEKIT_HOME=/path make up")
    assert "Traceback" not in stack.said()


def test_a_database_out_of_reach_is_named(tmp_path):
    stack = Stack(tmp_path / "home", DATABASE_URL=f"postgres://bob:bobs-password@127.0.0.1:{free_port()}/routekit")

    assert stack.wait(40) == 1
    stack.wait_for("^The database of DATABASE_URL does not answer: ")
    assert "bobs-password" not in stack.said()
    assert "Traceback" not in stack.said()
    assert processes_of(tmp_path / "home") == []


def test_a_redis_out_of_reach_is_named(tmp_path):
    stack = Stack(tmp_path / "home", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")

    assert stack.wait(40) == 1
    stack.wait_for("^The server of REDIS_URL does not answer: ")
    assert "Traceback" not in stack.said()


def test_a_deployments_keys_are_refused(tmp_path):
    stack = Stack(tmp_path / "home", SECRET_KEY="x" * 8)

    assert stack.wait() == 1
    stack.wait_for("SECRET_KEY")
    assert "Traceback" not in stack.said()


def test_a_weak_admin_password_is_named_before_anything_listens(tmp_path):
    stack = Stack(tmp_path / "home", HOST="0.0.0.0", ROUTEKIT_ADMIN_PASSWORD="hunter2")  # noqa: S104

    assert stack.wait(40) == 1
    stack.wait_for("^ROUTEKIT_ADMIN_PASSWORD is weak. This password is too short")
    assert "hunter2" not in stack.said()
    assert "Traceback" not in stack.said()


def test_a_lost_key_is_not_replaced(tmp_path):
    home = tmp_path / "home"
    (home / "keys").mkdir(parents=True)
    (home / "embedded.json").write_text("{}")
    stack = Stack(home)

    assert stack.wait() == 1
    stack.wait_for("Restore it from a backup")
    assert not (home / "keys" / "kek").exists()
