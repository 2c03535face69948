"""Signing in by password: what is counted, paused, told and never told; sessions that end."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt
from django.test import Client

from llmconfig.services.sign_in_guard import FAILURES_FROM_EVERYWHERE
from llmconfig.tenancy.audit import INSTALLATION, AuditEvent
from llmconfig.tenancy.models import User
from tests.llmconfig.web.totp import sign_in

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

PASSWORD = "correct horse battery"
TYPED = "my-real-password-typed-as-a-name"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture
def account(alice: Person) -> Person:
    alice.user.set_password(PASSWORD)
    alice.user.email = "alice@meridian.example"
    alice.user.save()
    return alice


def is_in(client: Client) -> bool:
    return client.get("/settings/providers/").status_code == 200


def actions(person: Person) -> list[str]:
    return list(AuditEvent.objects.filter(chain=person.organization.pk).order_by("seq").values_list("action", flat=True))


def test_a_sign_in_and_out_are_told(client: Client, account: Person) -> None:
    sign_in(client, "alice", PASSWORD)
    client.post("/accounts/logout/")
    assert actions(account) == ["login.succeeded", "logout"]
    event = AuditEvent.objects.first()
    assert (event.actor, event.ip) == ("alice", "127.0.0.1")


def test_a_session_gets_a_new_key_at_sign_in(client: Client, account: Person) -> None:
    client.get("/accounts/invitation/abc/")
    before = client.session.session_key
    sign_in(client, "alice", PASSWORD)
    assert before
    assert client.session.session_key != before


def test_promise_11_an_inactive_user_is_not_signed_in(client: Client, account: Person) -> None:
    token = account.client()
    sign_in(client, "alice", PASSWORD)
    User.objects.update(is_active=False)
    assert not is_in(client)
    assert token.get("/api/user/llm-config").status_code == 401
    assert sign_in(Client(), "alice", PASSWORD).headers["Location"] == "/accounts/inactive/"


def test_promise_11_a_session_ends_by_itself(client: Client, account: Person, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    for idle, hours, expected in ((True, 2, False), (False, 2, True), (False, 30, False)):
        settings.SESSION_IDLE_S = 3600 if idle else 100 * 3600
        settings.SESSION_MAX_S = 24 * 3600
        visitor = Client()
        with monkeypatch.context() as clock:
            clock.setattr("llmconfig.web.sessions.time.time", lambda: now)
            sign_in(visitor, "alice", PASSWORD)
            clock.setattr("llmconfig.web.sessions.time.time", lambda hours=hours: now + hours * 3600)
            assert is_in(visitor) is expected, (idle, hours)


def test_promise_11_a_bad_host_is_answered_nothing(client: Client, account: Person) -> None:
    token = account.client()
    for path in ("/accounts/login/", "/api/user/llm-config", "/"):
        answer = token.get(path, HTTP_HOST="evil.example")
        assert answer.status_code == 400, path
        assert "evil.example" not in answer.content.decode()


def test_promise_11_forms_need_their_token(account: Person) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict, "alice", PASSWORD).status_code == 403
    strict.force_login(account.user)
    for path in ("/accounts/logout/", "/accounts/password/change/", "/accounts/", "/accounts/sessions/", "/accounts/2fa/totp/activate/"):
        assert strict.post(path).status_code == 403, path
    assert strict.post("/api/tokens", {"name": "x"}, content_type="application/json").status_code == 403


def test_five_failures_pause_the_account_for_that_address(client: Client, account: Person) -> None:
    for _ in range(5):
        answer = sign_in(client, "alice", "wrong")
    assert answer.status_code == 429
    assert "Try again in 15 minutes" in answer.content.decode()
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert sign_in(client, "alice", PASSWORD).status_code == 429
    assert sign_in(client, "alice@meridian.example", PASSWORD).status_code == 429  # the same account by its address
    assert not is_in(client)
    assert actions(account) == ["login.failed"] * 5 + ["login.locked"]
    elsewhere = Client(REMOTE_ADDR="198.51.100.7")
    sign_in(elsewhere, "alice", PASSWORD)
    assert is_in(elsewhere)


def test_after_the_pause_it_works_again(client: Client, account: Person, settings: Any) -> None:
    for _ in range(5):
        sign_in(client, "alice", "wrong")
    from datetime import timedelta

    settings.AXES_COOLOFF_TIME = timedelta(microseconds=1)
    sign_in(client, "alice", PASSWORD)
    assert is_in(client)


def test_a_stranger_pauses_strangers_alone(account: Person) -> None:
    own, other = Client(), Client(REMOTE_ADDR="198.51.100.7")
    sign_in(own, "alice", PASSWORD)
    own.post("/accounts/logout/")
    for number in range(FAILURES_FROM_EVERYWHERE // 5 + 1):
        AccessAttempt.objects.create(username="alice", ip_address=f"203.0.113.{number}", user_agent="x", failures_since_start=5)
    assert sign_in(other, "alice", PASSWORD).status_code == 429
    sign_in(own, "alice", PASSWORD)
    assert is_in(own)


def test_the_admin_is_no_way_around(client: Client, account: Person) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    answer = client.get("/admin/login/?next=/admin/")
    assert answer.headers["Location"] == "/accounts/login/?next=%2Fadmin%2F"
    assert client.post("/admin/login/", {"username": "alice", "password": PASSWORD}).status_code == 302
    assert client.get("/admin/").status_code == 302


def test_what_was_typed_as_a_name_is_kept_nowhere(client: Client, account: Person, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for _ in range(6):
        sign_in(client, TYPED, "whatever-else-was-typed")
    rows = str(list(AccessAttempt.objects.values())) + str(list(AuditEvent.objects.values()))
    assert TYPED not in rows + caplog.text
    assert "whatever-else-was-typed" not in rows + caplog.text
    assert "nobody has that name" in caplog.text
    assert not AuditEvent.objects.exists()


def test_who_belongs_nowhere_is_told_in_the_installations_chain(client: Client, account: Person) -> None:
    account.user.memberships.all().delete()
    sign_in(client, "alice", PASSWORD)
    assert list(AuditEvent.objects.values_list("chain", "action")) == [(INSTALLATION, "login.succeeded")]


def test_a_new_password_ends_the_other_sessions(client: Client, account: Person) -> None:
    other = Client()
    sign_in(other, "alice", PASSWORD)
    sign_in(client, "alice", PASSWORD)
    new = "another horse battery"
    answer = client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert answer.status_code == 302, answer.context["form"].errors
    assert is_in(client)
    assert not is_in(other)
    assert "password.changed" in actions(account)


def test_one_session_is_ended_and_told(client: Client, account: Person, mallory: Person) -> None:
    other = Client(headers={"User-Agent": "An old phone"})
    sign_in(other, "alice", PASSWORD)
    sign_in(client, "alice", PASSWORD)
    page = client.get("/accounts/sessions/").content.decode()
    assert "An old phone" in page
    row = UserSession.objects.get(user_agent="An old phone")
    stranger = Client()
    stranger.force_login(mallory.user)
    assert stranger.post(f"/accounts/sessions/{row.pk}/end/").status_code == 404
    client.post(f"/accounts/sessions/{row.pk}/end/")
    assert not is_in(other)
    assert is_in(client)
    assert actions(account)[-1] == "session.ended"


def test_valkey_away_is_a_503_and_nothing_else(client: Client, account: Person, settings: Any) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    client.raise_request_exception = False
    answer = sign_in(client, "alice", PASSWORD)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
