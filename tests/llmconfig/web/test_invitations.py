"""The pages of an invitation: the secret leaves the address at once, and whoever holds it joins, with an account or without."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from llmconfig.tenancy.models import Membership, Organization, Role, User
from tests.llmconfig.services.test_joining import invite

if TYPE_CHECKING:
    from django.test import Client

    from tests.llmconfig.people import Person

PASSWORD = "correct horse battery"
SIGN_UP = {"username": "carol", "email": "other@elsewhere.example", "password1": PASSWORD, "password2": PASSWORD}
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


def test_the_link_hides_its_secret_and_is_kept_nowhere(client: Client, alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    invite(alice)
    answer = client.get("/accounts/invitation/value/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/invitation/")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer.headers["Cache-Control"]
    page = client.get("/accounts/invitation/")
    assert "no-store" in page.headers["Cache-Control"]
    assert f"Join {alice.organization.name}" in page.content.decode()
    assert "invitation/value" not in page.content.decode() + caplog.text + str(dict(client.session))


def test_a_stranger_signs_up_into_the_organization_though_sign_up_is_closed(client: Client, alice: Person) -> None:
    invite(alice, role=Role.VIEWER, email="carol@meridian.example")
    client.get("/accounts/invitation/value/")
    assert f"Join {alice.organization.name}" in client.get("/accounts/signup/").content.decode()
    answer = client.post("/accounts/signup/", SIGN_UP)
    assert answer.status_code == 302, answer.context["form"].errors
    carol = User.objects.get(username="carol")
    assert carol.email == "carol@meridian.example"
    assert [(each.organization, each.role) for each in carol.memberships.all()] == [(alice.organization, Role.VIEWER)]
    assert Organization.objects.count() == 1
    assert client.get("/accounts/").context["user"] == carol


def test_the_form_shows_whom_the_invitation_is_for_and_makes_no_second_account_of_theirs(
    client: Client, alice: Person, mallory: Person
) -> None:
    User.objects.filter(pk=mallory.user.pk).update(email="mallory@elsewhere.example")
    invite(alice, email="mallory@elsewhere.example")
    client.get("/accounts/invitation/value/")
    page = client.get("/accounts/signup/").content.decode()
    assert 'value="mallory@elsewhere.example"' in page
    assert "The invitation is for this address." in page
    answer = client.post("/accounts/signup/", SIGN_UP)
    assert answer.context["form"].errors["email"]
    assert User.objects.filter(email__iexact="mallory@elsewhere.example").count() == 1


def test_a_used_link_opens_no_sign_up(client: Client, alice: Person) -> None:
    invitation = invite(alice)
    client.get("/accounts/invitation/value/")
    invitation.delete()
    assert "Sign-up is closed" in client.post("/accounts/signup/", SIGN_UP).content.decode()
    page = client.get("/accounts/invitation/")
    assert page.status_code == 410
    assert "may have been withdrawn" in page.content.decode()
    assert not User.objects.filter(username="carol").exists()


def test_who_is_signed_in_accepts_by_post_alone(client: Client, alice: Person, mallory: Person) -> None:
    invite(alice, role=Role.MEMBER)
    client.force_login(mallory.user)
    client.get("/accounts/invitation/value/")
    assert "Join as mallory" in client.get("/accounts/invitation/").content.decode()
    assert Membership.objects.filter(user=mallory.user).count() == 1
    assert client.post("/accounts/invitation/").headers["Location"] == "/"
    assert Membership.objects.filter(user=mallory.user, organization=alice.organization, role=Role.MEMBER).exists()
    assert client.get("/settings/providers/").context["organization"] == alice.organization


def test_a_forged_acceptance_is_refused(alice: Person, mallory: Person) -> None:
    from django.test import Client

    invite(alice)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(mallory.user)
    strict.get("/accounts/invitation/value/")
    assert strict.post("/accounts/invitation/").status_code == 403
    assert not Membership.objects.filter(user=mallory.user, organization=alice.organization).exists()


def test_a_member_is_told_so(client: Client, alice: Person, bob: Person) -> None:
    invite(alice, role=Role.ADMIN)
    client.force_login(bob.user)
    client.get("/accounts/invitation/value/")
    assert "You are a member already" in client.get("/accounts/invitation/").content.decode()
    assert client.post("/accounts/invitation/").status_code == 409
    assert Membership.objects.get(user=bob.user).role == Role.MEMBER
