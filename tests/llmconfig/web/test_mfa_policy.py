"""An organization that requires MFA: nothing in it opens to who has none, by page, API or token, and no query is added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from llmconfig.tenancy.models import Membership, Organization
from tests.llmconfig.web.totp import set_up, sign_in

if TYPE_CHECKING:
    from django.test import Client

    from tests.llmconfig.people import Person

PASSWORD = "correct horse battery"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture
def strict(alice: Person) -> Person:
    Organization.objects.filter(pk=alice.organization.pk).update(requires_mfa=True)
    alice.user.set_password(PASSWORD)
    alice.user.save()
    return alice


@pytest.mark.parametrize("path", ["/", "/settings/providers/", "/settings/services/", "/api/docs/x", "/admin/"])
def test_pages_lead_to_where_it_is_set_up(client: Client, strict: Person, path: str) -> None:
    client.force_login(strict.user)
    answer = client.get(path)
    if path.startswith("/api/"):
        assert answer.status_code == 404
    else:
        assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/2fa/")
    assert f"{strict.organization.name} requires MFA" in client.get("/accounts/2fa/").content.decode()


def test_session_and_token_are_answered_mfa_required(client: Client, strict: Person) -> None:
    token = strict.client()
    client.force_login(strict.user)
    for caller in (client, token):
        answer = caller.get("/api/user/llm-config")
        assert answer.status_code == 403
        assert answer.json()["errors"][0]["code"] == "mfa_required"


def test_once_set_up_everything_opens_and_the_last_factor_stays(client: Client, strict: Person) -> None:
    sign_in(client, "alice", PASSWORD)
    token = strict.client()
    set_up(client)
    assert client.get("/settings/providers/").status_code == 200
    assert token.get("/api/user/llm-config").status_code == 200
    page = client.post("/accounts/2fa/totp/deactivate/")
    assert "this is your last second factor" in page.content.decode()
    assert client.get("/settings/providers/").status_code == 200


def test_other_organizations_are_not_asked(client: Client, strict: Person, mallory: Person) -> None:
    client.force_login(mallory.user)
    assert client.get("/settings/providers/").status_code == 200
    assert mallory.client().get("/api/user/llm-config").status_code == 200


def test_the_way_to_another_organization_stays_open(client: Client, strict: Person, mallory: Person) -> None:
    other = mallory.organization
    Membership.objects.create(organization=other, user=strict.user)
    client.force_login(strict.user)
    assert client.post("/organization/switch/", {"id": other.pk}).headers["Location"] == "/"
    assert client.get("/settings/providers/").context["organization"] == other
    client.post("/organization/switch/", {"id": strict.organization.pk})
    assert client.get("/settings/providers/").headers["Location"] == "/accounts/2fa/"
    assert client.post("/organization/new/", {"name": "A third"}).headers["Location"] == "/"
    assert client.get("/settings/providers/").context["organization"].name == "A third"


def test_the_policy_costs_no_query(strict: Person) -> None:
    token, counts = strict.client(), []
    token.get("/api/providers")
    for required in (True, False):
        Organization.objects.filter(pk=strict.organization.pk).update(requires_mfa=required)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            token.get("/api/providers")
        counts.append(len(queries))
    assert counts[0] <= counts[1] <= 2, counts
