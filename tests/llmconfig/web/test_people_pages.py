"""The organization and tokens pages, the switch, and the page for whoever is in no organization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.tenancy.accounts import create_organization
from llmconfig.tenancy.models import Membership, Organization, Role
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from django.test import Client

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
PAGES = ["/", "/organization/", "/settings/tokens/", "/settings/providers/", "/settings/services/"]


@pytest.mark.parametrize("role", Role)
def test_each_role_is_offered_what_it_may(client: Client, alice: Person, role: Role) -> None:
    client.force_login(person("carol", alice.organization, role).user)
    page = client.get("/organization/").content.decode()
    assert ('id="policy"' in page, 'id="invite-form"' in page) == (role in {Role.ADMIN, Role.OWNER},) * 2
    assert ('id="delete"' in page) is (role == Role.OWNER)
    assert ('id="make"' in client.get("/settings/tokens/").content.decode()) is (role not in {Role.VIEWER, Role.AUDITOR})


@pytest.mark.parametrize("path", PAGES)
def test_whoever_is_in_no_organization_is_told_what_to_do(client: Client, alice: Person, path: str) -> None:
    assert client.get(path).headers["Location"].startswith("/accounts/login/")
    Membership.objects.all().delete()
    client.force_login(alice.user)
    page = client.get(path)
    assert page.status_code == 403
    assert "You are in no organization" in page.content.decode()


def test_founding_by_the_form(client: Client, bob: Person) -> None:
    Membership.objects.filter(user=bob.user).delete()
    client.force_login(bob.user)
    for name in ("", " ", "x" * 201, "a\x00b"):
        assert client.post("/organization/new/", {"name": name}).status_code == 400
    assert client.post("/organization/new/", {"name": "Bob & Sons"}).headers["Location"] == "/"
    assert "Bob &amp; Sons" in client.get("/").content.decode()
    assert client.get("/organization/new/").status_code == 200


def test_the_switch_is_shown_for_several_and_costs_no_query(client: Client, alice: Person, django_assert_num_queries: Any) -> None:
    client.force_login(alice.user)
    with django_assert_num_queries(3):  # session, user, memberships
        assert "/organization/switch/" not in client.get("/organization/").content.decode()
    second = create_organization(name="Second", owner=alice.user)
    with django_assert_num_queries(3):
        page = client.get("/organization/").content.decode()
    assert f'value="{second.pk}"' in page
    assert client.post("/organization/switch/", {"id": str(second.pk)}).headers["Location"] == "/"
    assert "<h1>Second</h1>" in client.get("/organization/").content.decode()


def test_the_switch_leads_nowhere_else(client: Client, alice: Person, mallory: Person) -> None:
    client.force_login(alice.user)
    for id in (str(mallory.organization.pk), "x", ""):
        assert client.post("/organization/switch/", {"id": id}).status_code == 404
    assert client.get("/organization/switch/").status_code == 405
    assert "<h1>alice</h1>" in client.get("/organization/").content.decode()


def test_names_are_text_on_the_pages(client: Client, alice: Person) -> None:
    Organization.objects.update(name="<script>alert(1)</script>")
    create_organization(name="<img src=x onerror=alert(1)>", owner=alice.user)
    client.force_login(alice.user)
    for path in PAGES:
        page = client.get(path).content.decode()
        assert "<script>alert" not in page
        assert "<img" not in page
