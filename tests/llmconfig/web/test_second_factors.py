"""Authenticator apps and recovery codes: set up, asked for, sealed, told in the audit trail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from llmconfig.tenancy.audit import AuditEvent
from tests.llmconfig.web.totp import code_of, set_up, sign_in

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

PASSWORD = "correct horse battery"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture
def signed_in(alice: Person, client: Client) -> Client:
    alice.user.set_password(PASSWORD)
    alice.user.save()
    sign_in(client, "alice", PASSWORD)
    return client


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("action", flat=True))


def test_an_app_is_set_up_with_a_drawn_code_and_recovery_codes_are_shown_once(signed_in: Client) -> None:
    page = signed_in.get("/accounts/2fa/totp/activate/").content.decode()
    assert '<svg class="qr"' in page
    assert "data:image" not in page
    set_up(signed_in)
    first = signed_in.get("/accounts/2fa/recovery-codes/").content.decode()
    assert "shown now and never again" in first
    again = signed_in.get("/accounts/2fa/recovery-codes/").content.decode()
    assert 'id="recovery-codes"' not in again
    assert actions() == ["login.succeeded", "mfa.enabled", "mfa.recovery_codes_made"]


def test_the_second_factor_is_asked_for_and_each_code_counts_once(signed_in: Client) -> None:
    secret = set_up(signed_in)
    for expected in (True, False):
        visitor = Client()
        assert sign_in(visitor, "alice", PASSWORD).headers["Location"] == "/accounts/2fa/authenticate/"
        assert visitor.get("/settings/providers/").status_code == 302
        visitor.post("/accounts/2fa/authenticate/", {"code": code_of(secret, steps=1)})
        assert (visitor.get("/settings/providers/").status_code == 200) is expected
    assert actions()[-2:] == ["login.succeeded", "login.failed"]
    assert AuditEvent.objects.get(seq=4).details == {"methods": ["password", "totp"]}
    assert AuditEvent.objects.get(seq=5).details == {"method": "totp"}


def test_a_recovery_code_stands_in_once(signed_in: Client) -> None:
    set_up(signed_in)
    page = signed_in.get("/accounts/2fa/recovery-codes/")
    code = page.context["unused_codes"][0]
    for expected in (True, False):
        visitor = Client()
        sign_in(visitor, "alice", PASSWORD)
        visitor.post("/accounts/2fa/authenticate/", {"code": code})
        assert (visitor.get("/settings/providers/").status_code == 200) is expected
    assert "mfa.recovery_code_used" in actions()


def test_guessing_codes_is_paused(signed_in: Client) -> None:
    secret = set_up(signed_in)
    visitor = Client()
    sign_in(visitor, "alice", PASSWORD)
    for _ in range(5):
        visitor.post("/accounts/2fa/authenticate/", {"code": "000000"})
    answer = visitor.post("/accounts/2fa/authenticate/", {"code": code_of(secret, steps=1)})
    assert "Too many failed login attempts" in answer.content.decode()
    assert visitor.get("/settings/providers/").status_code == 302


def test_secrets_of_second_factors_are_sealed(signed_in: Client) -> None:
    secret = set_up(signed_in)
    stored = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    assert stored.count("v1.") >= 2, stored


def test_another_kek_says_so_instead_of_failing(signed_in: Client, settings) -> None:
    secret = set_up(signed_in)
    settings.KEK = "restored-under-another-kek-0123456789"
    visitor = Client()
    sign_in(visitor, "alice", PASSWORD)
    answer = visitor.post("/accounts/2fa/authenticate/", {"code": code_of(secret, steps=1)})
    assert answer.status_code == 200
    assert "not the one that sealed it" in answer.content.decode()


def test_a_trusted_browser_is_not_asked_until_the_password_changes(signed_in: Client) -> None:
    secret = set_up(signed_in)
    visitor = Client()
    sign_in(visitor, "alice", PASSWORD)
    visitor.post("/accounts/2fa/authenticate/", {"code": code_of(secret, steps=1), "trust": "1"})
    visitor.post("/accounts/logout/")
    assert sign_in(visitor, "alice", PASSWORD).headers["Location"] == "/"
    visitor.post("/accounts/logout/")
    new = "another horse battery"
    signed_in.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert sign_in(visitor, "alice", new).headers["Location"] == "/accounts/2fa/authenticate/"


def test_after_ten_minutes_the_password_is_asked_for_again(signed_in: Client, settings) -> None:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    answer = signed_in.get("/accounts/2fa/totp/activate/")
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/?next=")
    assert "Confirm it is you" in signed_in.get(answer.headers["Location"]).content.decode()
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
    back = signed_in.post(answer.headers["Location"], {"password": PASSWORD})
    assert back.headers["Location"] == "/accounts/2fa/totp/activate/"


def test_removing_is_told(signed_in: Client) -> None:
    set_up(signed_in)
    assert signed_in.post("/accounts/2fa/totp/deactivate/").status_code == 302
    assert not Authenticator.objects.exists()
    assert "mfa.disabled" in actions()
