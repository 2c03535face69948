"""The account pages: who may sign up, and what they say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmconfig.tenancy.models import Organization, User

if TYPE_CHECKING:
    from django.test import Client

PASSWORD = "correct horse battery"
SIGN_UP = {"username": "mallory", "password1": PASSWORD, "password2": PASSWORD}
pytestmark = pytest.mark.django_db


def test_nobody_signs_up_unless_the_operator_opened_it(client: Client) -> None:
    for answer in (client.get("/accounts/signup/"), client.post("/accounts/signup/", SIGN_UP)):
        assert "People join by invitation" in answer.content.decode()
    assert (User.objects.count(), Organization.objects.count()) == (0, 0)


def test_opened_by_the_operator_anyone_may_sign_up(client: Client, settings) -> None:
    settings.SIGNUP = True
    assert "Sign-up is closed" not in client.get("/accounts/signup/").content.decode()
    client.post("/accounts/signup/", SIGN_UP)
    assert User.objects.get().username == "mallory"


@pytest.mark.parametrize("rest", ["", "done/", "key/1-abc/"])
def test_a_forgotten_password_promises_no_mail(client: Client, rest: str) -> None:
    assert 'href="/accounts/password/reset/"' in client.get("/accounts/login/").content.decode()
    page = client.get(f"/accounts/password/reset/{rest}").content.decode()
    assert "Ask an admin of this installation for a new one" in page
    assert "mail" not in page
    assert client.post(f"/accounts/password/reset/{rest}", {"email": "alice@example.com"}).status_code == 405
