"""The environment: what is missing or weak is named before anything starts; each value may come from a file."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.routekit.stack import ROOT, environment

STRONG = {
    "SECRET_KEY": "9f8b2c71d4e6a035-secret-key-of-a-deployment-4b7d2e90",
    "KEK": "3d7e90ab51c8f264-key-encryption-key",
    "DATABASE_URL": "sqlite:///:memory:",
    "ALLOWED_HOSTS": "routekit.example",
}

WEAK = [
    "short",
    "a" * 64,
    "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz",
    "changeme-changeme-0123456789-abcdefghij",
    "CHANGE-ME-please-0123456789-abcdefghijkl",
    "your-secret-key-goes-here-0123456789abc",
    "0123456789abcdef" * 3,
    "correct-horse-" * 3 + "correct",
]
PROCESSES = {
    "manage.py": ("manage.py", "create_token", "alice"),
    "web": ("-m", "uvicorn", "routekit.asgi:application", "--uds", "web.socket"),
    "worker": ("-m", "celery", "-A", "routekit", "worker", "-P", "threads"),
    "beat": ("-m", "celery", "-A", "routekit", "beat"),
}


def manage(*arguments, home, **values):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(ROUTEKIT_HOME=str(home), **values),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_deployment_with_strong_keys_passes_its_checks(tmp_path):
    done = manage("check", "--deploy", "--fail-level", "WARNING", home=tmp_path, **STRONG)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "KEK", "DATABASE_URL"])
def test_promise_6_what_is_missing_is_named(tmp_path, name):
    done = manage("check", home=tmp_path, **{key: value for key, value in STRONG.items() if key != name})

    assert done.returncode != 0
    assert f"{name} is missing" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "KEK"])
@pytest.mark.parametrize("weak", WEAK)
def test_promise_6_what_is_weak_is_named_but_not_shown(tmp_path, name, weak):
    done = manage("check", home=tmp_path, **{**STRONG, name: weak})

    assert done.returncode != 0
    assert f"{name} is weak" in done.stderr
    assert weak not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "KEK", "DATABASE_URL"])
def test_a_value_may_come_from_a_file(tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text(STRONG[name] + "\n")
    values = {key: value for key, value in STRONG.items() if key != name}

    done = manage("check", home=tmp_path, **values, **{f"{name}_FILE": str(secret)})

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "postgres://alice:alices-password@host:no-port/routekit",
        "alices-password",
        "foo://alice:alices-password@host/routekit",
        "mysql://alice:alices-password@host/routekit",
    ],
)
def test_a_database_url_that_is_none_is_named_but_not_shown(tmp_path, url):
    done = manage("check", home=tmp_path, **{**STRONG, "DATABASE_URL": url})

    assert done.returncode != 0
    assert "DATABASE_URL is not" in done.stderr
    assert "lices-password" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", ""),
        ("ROUTEKIT_LEASE", "soon"),
        ("ROUTEKIT_MAX_IMAGE_MB", "large"),
        ("ROUTEKIT_ATTACHMENTS_OPTIONS", "[1]"),
        ("ROUTEKIT_ATTACHMENTS_OPTIONS", "bucket=routekit"),
        ("ROUTEKIT_HTTPS", "perhaps"),
        ("ROUTEKIT_LOG_LEVEL", "loud"),
        ("ROUTEKIT_EMAIL_URL", "bobs-password"),
        ("ROUTEKIT_EMAIL_URL", "smtp+tls://bob:bobs-password@"),
        ("ROUTEKIT_EMAIL_URL", "bobs-password://mail.example.com"),
        ("REDIS_URL", "redis.internal:6379"),
        ("REDIS_URL", "redis://:bobs-password@host:no-port/0"),
        ("KEK_FILE", "/no/such/file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, value):
    values = {key: kept for key, kept in STRONG.items() if f"{key}_FILE" != name}

    done = manage("check", home=tmp_path, **{**values, name: value})

    assert done.returncode == 1
    assert f"routekit cannot start: {name}" in done.stderr
    assert "bobs-password" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY_FILE", "KEK_FILE"])
def test_a_file_that_is_not_there_is_named_with_its_variable_beside_an_embedded_home_too(tmp_path, name):
    (tmp_path / "embedded.json").write_text("{}")
    values = {key: kept for key, kept in STRONG.items() if f"{key}_FILE" != name}

    done = manage("check", home=tmp_path, **{**values, name: "/no/such/file"})

    assert done.returncode == 1
    assert f"routekit cannot start: {name} names a file that cannot be read" in done.stderr


def test_facts_of_the_embedded_mode_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "keys").mkdir()
    for name in ("secret_key", "kek"):
        (tmp_path / "keys" / name).write_text("x" * 40)
    (tmp_path / "embedded.json").write_text("{")

    done = manage("check", home=tmp_path)

    assert done.returncode == 1
    assert "embedded.json cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "left", "said"), [("kek", b"", "is empty"), ("secret_key", b"\n", "is empty"), ("kek", b"\xff\xfe", "cannot be read")]
)
def test_promise_6_a_key_of_the_embedded_mode_that_a_power_cut_left_is_named(tmp_path, name, left, said):
    (tmp_path / "keys").mkdir()
    for each in ("secret_key", "kek"):
        (tmp_path / "keys" / each).write_text(f"{each}-9f8b2c71d4e6a035-4b7d2e90-9f8b2c71")
    (tmp_path / "keys" / name).write_bytes(left)
    (tmp_path / "embedded.json").write_text("{}")

    done = manage("check", home=tmp_path)

    assert done.returncode == 1
    assert f"routekit cannot start: {tmp_path / 'keys' / name} {said}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize(("name", "value", "said"), [("KEK", "", "KEK is missing"), ("SECRET_KEY", "changeme" * 5, "SECRET_KEY is weak")])
def test_promise_6_no_process_starts_without_good_keys_and_each_says_which(tmp_path, process, name, value, said):
    done = subprocess.run(
        [sys.executable, *PROCESSES[process]],
        cwd=ROOT,
        env=environment(**{**STRONG, "ROUTEKIT_HOME": str(tmp_path), name: value}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("weak", WEAK)
def test_promise_6_each_of_the_other_keks_is_as_strong(tmp_path, weak):
    others = f"{STRONG['KEK'][::-1]}\n{weak}"

    done = manage("check", home=tmp_path, **STRONG, KEK_OTHERS=others)

    assert done.returncode == 1
    assert "KEK_OTHERS is weak" in done.stderr
    assert weak not in done.stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"KEK": STRONG["SECRET_KEY"]}, "KEK is the SECRET_KEY"), ({"KEK_OTHERS": STRONG["SECRET_KEY"]}, "KEK_OTHERS names the SECRET_KEY")],
)
def test_promise_6_a_kek_is_not_the_secret_key(tmp_path, changed, said):
    done = manage("check", home=tmp_path, **{**STRONG, **changed})

    assert done.returncode == 1
    assert f"routekit cannot start: {said}" in done.stderr
    assert STRONG["SECRET_KEY"] not in done.stderr


def test_the_other_keks_may_come_from_a_file(tmp_path):
    (tmp_path / "others").write_text(f"{STRONG['KEK'][::-1]}\n\n  {STRONG['KEK']}-older\n")

    done = manage("check", home=tmp_path, **STRONG, KEK_OTHERS_FILE=str(tmp_path / "others"))

    assert done.returncode == 0, done.stderr


def test_with_a_root_key_of_a_kms_no_kek_is_needed(tmp_path):
    values = {name: value for name, value in STRONG.items() if name != "KEK"}

    done = manage("check", home=tmp_path, **values, ROUTEKIT_ROOT_KEY="company.kms.RootKey")

    assert done.returncode == 0, done.stderr
    assert "KEK is weak" in manage("check", home=tmp_path, **values, KEK="short", ROUTEKIT_ROOT_KEY="company.kms.RootKey").stderr
