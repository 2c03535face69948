"""Headers of every kind of answer, and settings that a deployment must not weaken (promise 35)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.llmconfig.people import person

if TYPE_CHECKING:
    from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "/accounts/login/",
    "/accounts/signup/",
    "/nope",
    "/api/schema/",
    "/api/docs/",
    "/api/user/llm-config",
    "/healthz",
    "/accounts/invitation/",
)
DEPLOYED = {
    "SECRET_KEY": "check-only-7f3a9c51e8d24b60a1c9e57d0b4f86a2d93c15e7",
    "KEK": "check-only-b82e4f09d6c37a15f0e4a96b2d",
    "DATABASE_URL": "sqlite:///:memory:",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "ALLOWED_HOSTS": "routekit.example",
}


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_every_answer_has_them(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert "no-store" in headers["Cache-Control"]


@pytest.mark.django_db
def test_private_answers_are_cached_nowhere(client: Client) -> None:
    alice = person("alice")
    for path in ("/api/user/llm-config", "/api/tokens", "/api/providers"):
        assert "no-store" in alice.client().get(path).headers["Cache-Control"]
    client.force_login(alice.user)
    for path in ("/", "/settings/providers/", "/accounts/", "/accounts/2fa/"):
        assert "no-store" in client.get(path).headers["Cache-Control"], path


def deployed(*code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ROUTEKIT_", "DJANGO_", "ALLOWED", "CSRF"))}
    home = {"ROUTEKIT_HOME": str(ROOT / ".routekit-check")}
    return subprocess.run(
        [sys.executable, *code], cwd=ROOT, env={**clean, **DEPLOYED, **home, **environment}, capture_output=True, text=True
    )


def test_promise_35_the_deployment_check_is_clean() -> None:
    done = deployed("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "0 silenced" in done.stdout


SHOWN = """
import os; os.environ["DJANGO_SETTINGS_MODULE"] = "routekit.settings"
from django.conf import settings as s
print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS >= 31536000,
      s.SESSION_COOKIE_NAME.startswith("__Host-"), s.CSRF_COOKIE_NAME.startswith("__Host-"), s.SESSION_COOKIE_SAMESITE, s.DEBUG)
"""


def test_promise_35_cookies_and_transport_of_a_deployment() -> None:
    assert deployed("-c", SHOWN).stdout.split() == ["True"] * 7 + ["Lax", "False"]


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"ROUTEKIT_ORIGIN": "routekit.example"}, "ROUTEKIT_ORIGIN"),
        ({"ROUTEKIT_ORIGIN": "https://routekit.example/path"}, "ROUTEKIT_ORIGIN"),
        ({"ROUTEKIT_OIDC_ISSUER": "https://login.example"}, "ROUTEKIT_OIDC_CLIENT_ID"),
        ({"ROUTEKIT_OIDC_ISSUER": "login.example"}, "ROUTEKIT_OIDC_ISSUER"),
        ({"ROUTEKIT_OIDC_ISSUER": "https://l.example", "ROUTEKIT_OIDC_CLIENT_ID": "a"}, "ROUTEKIT_OIDC_CLIENT_SECRET"),
        (
            {
                "ROUTEKIT_OIDC_ISSUER": "https://l.example",
                "ROUTEKIT_OIDC_CLIENT_ID": "a",
                "ROUTEKIT_OIDC_CLIENT_SECRET": "b",
                "ROUTEKIT_OIDC_ROLE": "owner",
            },
            "ROUTEKIT_OIDC_ROLE",
        ),
        ({"ROUTEKIT_SAML_ENTITY_ID": "https://idp.example"}, "ROUTEKIT_SAML_ENTITY_ID"),
        ({"ROUTEKIT_THROTTLE": "many"}, "ROUTEKIT_THROTTLE"),
        ({"ROUTEKIT_HTTPS": "perhaps"}, "ROUTEKIT_HTTPS"),
    ],
)
def test_promise_6_a_weak_setting_stops_the_start_with_its_name(variables: dict[str, str], named: str) -> None:
    done = deployed("-c", SHOWN, **variables)
    assert done.returncode != 0
    assert named in done.stderr.splitlines()[-1]


def test_promise_35_without_https_the_check_says_so() -> None:
    done = deployed("manage.py", "check", "--deploy", "--fail-level", "WARNING", ROUTEKIT_HTTPS="0")
    assert done.returncode != 0
    assert {"security.W004", "security.W008", "security.W012", "security.W016"} <= set(
        done.stderr.replace("(", " ").replace(")", " ").split()
    )


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt"])
def test_promise_35_every_requirement_is_locked_with_its_hashes(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) > 50
    assert [line for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


def test_promise_35_bandit_finds_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bandit", "-q", "-ll", "-r", "routekit", "llmconfig", "agent"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


HEAVY = ("requests", "fido2", "qrcode", "onelogin", "allauth.account.forms")


def test_what_signing_in_stands_on_is_not_loaded_at_start() -> None:
    code = f"""
import sys
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "check"])
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""
    assert deployed("-c", code, DJANGO_SETTINGS_MODULE="routekit.settings").stdout.splitlines()[-1] == ""
