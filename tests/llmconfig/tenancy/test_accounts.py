"""Whatever creates a user, an organization comes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from llmconfig.tenancy.accounts import create_user_with_organization
from llmconfig.tenancy.caller import caller_for
from llmconfig.tenancy.errors import Forbidden
from llmconfig.tenancy.models import Membership, Organization, Role, User

if TYPE_CHECKING:
    from django.test import Client

    from tests.llmconfig.people import Person

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.django_db


def test_a_user_founds_an_organization() -> None:
    alice = create_user_with_organization(username="alice", password=PASSWORD)
    membership = alice.memberships.get()
    assert (membership.role, membership.organization.slug) == (Role.OWNER, "alice")
    assert alice.check_password(PASSWORD)


def test_createsuperuser_founds_one_too() -> None:
    call_command("createsuperuser", username="root", email="root@example.com", interactive=False)
    assert caller_for(User.objects.get(username="root")).role == Role.OWNER


def test_createsuperuser_takes_a_password_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", username="root", email="", interactive=False)
    root = User.objects.get(username="root")
    assert (root.is_superuser, root.check_password(PASSWORD)) == (True, True)


def test_a_sign_up_founds_one_too(client: Client, settings) -> None:
    settings.SIGNUP = True
    answer = client.post("/accounts/signup/", {"username": "carol", "password1": PASSWORD, "password2": PASSWORD})
    assert answer.status_code == 302
    assert caller_for(User.objects.get(username="carol")).organization.name == "carol"


def test_whoever_joins_founds_none(alice: Person, bob: Person) -> None:
    assert bob.organization == alice.organization
    assert bob.caller.role == Role.MEMBER
    assert Organization.objects.count() == 1


def test_equal_names_get_different_slugs(alice: Person) -> None:
    create_user_with_organization(username="Alice", password=PASSWORD)
    assert Organization.objects.count() == 2
    assert Organization.objects.exclude(pk=alice.organization.pk).get().slug.startswith("alice-")


def test_a_save_of_an_old_user_founds_nothing(alice: Person) -> None:
    alice.user.save()
    assert Organization.objects.count() == 1


def test_no_membership_no_caller(alice: Person, mallory: Person) -> None:
    with pytest.raises(Forbidden):
        caller_for(mallory.user, alice.organization)
    Membership.objects.filter(user=alice.user).delete()
    with pytest.raises(Forbidden):
        caller_for(alice.user)
