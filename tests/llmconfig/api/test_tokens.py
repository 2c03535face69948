"""Tokens: how they are made and revoked, and what counts as one."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from llmconfig.models import ApiToken, IdempotencyRecord
from llmconfig.tenancy.accounts import create_organization
from llmconfig.tenancy.audit import AuditEvent
from llmconfig.tenancy.models import Membership, Role
from tests.llmconfig.people import Person, person

pytestmark = pytest.mark.django_db
URL = "/api/tokens"


def with_token(value: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
    return client


def test_a_token_is_shown_once_and_works(alice: Person) -> None:
    session = APIClient()
    session.force_login(alice.user)
    made = session.post(URL, {"name": "laptop"})
    assert made.status_code == 201
    value = made.json()["token"]
    assert set(made.json()["scopes"]) == {"read", "run", "admin"}
    listed = with_token(value).get(URL).json()["results"]
    assert [row["name"] for row in listed] == ["laptop"]
    assert value not in str(listed)
    assert "digest" not in str(listed)
    assert listed[0]["last_used_at"] is not None


def test_use_is_noted_at_most_once_a_minute(alice: Person, django_assert_num_queries) -> None:
    client = alice.client()
    client.get(URL)
    noted = ApiToken.objects.get().last_used_at
    with django_assert_num_queries(2):  # token with its role, list
        client.get(URL)
    assert ApiToken.objects.get().last_used_at == noted
    ApiToken.objects.update(last_used_at=noted - timedelta(minutes=2))
    client.get(URL)
    assert ApiToken.objects.get().last_used_at > noted


def test_a_revoked_token_ends_with_the_next_request(alice: Person) -> None:
    client = alice.client()
    id = client.get(URL).json()["results"][0]["id"]
    assert client.delete(f"{URL}/{id}").status_code == 204
    assert client.get(URL).status_code == 401


def test_a_token_may_end(alice: Person) -> None:
    made = alice.client().post(URL, {"name": "x", "expires_at": "2999-01-01T00:00:00Z"}).json()
    assert made["expires_at"] == "2999-01-01T00:00:00Z"
    assert with_token(made["token"]).get(URL).status_code == 200


def test_expired_and_malformed_tokens(alice: Person) -> None:
    client = alice.client()
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert client.get(URL).status_code == 401
    for header in ("Bearer", "Bearer a b", "Bearer x", "Bearer \xff\xfe", "Token x", "Basic eA==", "Bearer " + "a" * 64):
        assert APIClient().get(URL, HTTP_AUTHORIZATION=header).status_code == 401


def test_an_inactive_user_and_a_lost_membership(alice: Person, bob: Person) -> None:
    client = bob.client()
    assert client.get(URL).status_code == 200
    Membership.objects.filter(user=bob.user).delete()
    assert client.get(URL).status_code == 403
    other = alice.client()
    alice.user.is_active = False
    alice.user.save()
    assert other.get(URL).status_code == 401


def test_a_token_stays_in_its_organization(alice: Person, mallory: Person) -> None:
    Membership.objects.create(organization=mallory.organization, user=alice.user, role=Role.VIEWER)
    client = alice.client()
    assert client.get(URL).json()["results"][0]["organization"] == str(alice.organization.pk)
    Membership.objects.filter(user=alice.user, organization=alice.organization).delete()
    assert client.get(URL).status_code == 403


def test_a_session_chooses_its_organization(alice: Person) -> None:
    second = create_organization(name="Second", owner=alice.user)
    client = APIClient()
    client.force_login(alice.user)
    assert client.post(URL, {"name": "a"}).json()["organization"] == str(alice.organization.pk)
    session = client.session
    session["organization"] = str(second.pk)
    session.save()
    assert client.post(URL, {"name": "b"}).json()["organization"] == str(second.pk)


def test_a_session_needs_the_csrf_token(alice: Person) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(alice.user)
    assert client.get(URL).status_code == 200
    assert client.post(URL, {"name": "x"}).status_code == 403
    assert not ApiToken.objects.exists()


def test_no_more_scopes_than_ones_own(alice: Person) -> None:
    assert alice.client(["read"]).post(URL, {"name": "x"}).status_code == 403
    made = alice.client(["admin"]).post(URL, {"name": "x", "scopes": ["read"]}).json()  # each scope includes those above it
    assert made["scopes"] == ["read"]
    assert with_token(made["token"]).post(URL, {"name": "y"}).status_code == 403


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"name": "x", "scopes": ["root"]}, "invalid_choice"),
        ({"name": "x", "scopes": []}, "empty"),
        ({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}, "invalid"),
        ({"name": "x", "user": 1}, "unknown_field"),
    ],
)
def test_bad_bodies(alice: Person, body: dict[str, object], code: str) -> None:
    answer = alice.client().post(URL, body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == code


def test_others_tokens_are_not_there(alice: Person, bob: Person) -> None:
    alice.client()
    client = bob.client()
    assert len(client.get(URL).json()["results"]) == 1
    assert client.delete(f"{URL}/{ApiToken.objects.get(user=alice.user).pk}").status_code == 404


def test_a_repeated_post_gives_the_same_token_and_the_record_is_sealed(alice: Person) -> None:
    client = alice.client()
    first = client.post(URL, {"name": "x"}, headers={"Idempotency-Key": "k"}).json()
    assert client.post(URL, {"name": "x"}, headers={"Idempotency-Key": "k"}).json() == first
    assert ApiToken.objects.filter(name="x").count() == 1
    assert first["token"] not in str(IdempotencyRecord.objects.values())


def test_create_token_prints_the_token_alone(alice: Person, mallory: Person) -> None:
    out = StringIO()
    call_command("create_token", "alice", "--name", "cli", stdout=out)
    value = out.getvalue().removesuffix("\n")
    assert with_token(value).get(URL).json()["results"][0]["name"] == "cli"
    for arguments in (["nobody"], ["alice", "--organization", "nowhere"], ["alice", "--organization", "mallory"]):
        with pytest.raises(CommandError):
            call_command("create_token", *arguments)


def test_create_token_serves_auditors_too(alice: Person) -> None:
    person("carol", alice.organization, Role.AUDITOR)
    out = StringIO()
    call_command("create_token", "carol", "--organization", alice.organization.slug, stdout=out)
    client = with_token(out.getvalue().strip())
    assert client.get("/api/providers").status_code == 200
    assert client.get(URL).status_code == 403


def test_a_token_is_told_apart_by_its_first_characters(alice: Person) -> None:
    made = alice.client().post(URL, {"name": "x"}).json()
    assert made["prefix"] == made["token"][:8]
    assert made["user"] == {"id": str(alice.user.pk), "username": "alice"}


def test_making_and_revoking_are_audited_without_the_value(alice: Person) -> None:
    client = alice.client()
    made = client.post(URL, {"name": "x", "scopes": ["read"]}).json()
    client.delete(f"{URL}/{made['id']}")
    created, revoked = AuditEvent.objects.order_by("seq")
    assert (created.action, created.object_label, created.details["scopes"]) == ("token.created", "x", ["read"])
    assert (revoked.action, revoked.object_id) == ("token.revoked", made["id"])
    assert made["token"] not in str(AuditEvent.objects.values())
    call_command("create_token", "alice", stdout=StringIO())
    assert AuditEvent.objects.order_by("-seq")[0].actor == "operator"


@pytest.mark.parametrize("role", Role)
def test_admins_see_and_revoke_everybodys(alice: Person, bob: Person, role: Role) -> None:
    dave = person("dave", alice.organization, role)
    for someone in (alice, bob):
        someone.client()
    client = dave.client()
    admin = role in {Role.ADMIN, Role.OWNER}
    every = client.get(f"{URL}?all=true")
    assert every.status_code == (200 if admin else 403)
    if admin:
        assert {row["user"]["username"] for row in every.json()["results"]} == {"alice", "bob", "dave"}
    of_bob, of_alice = (ApiToken.objects.get(user=someone.user).pk for someone in (bob, alice))
    assert client.delete(f"{URL}/{of_bob}").status_code == (204 if admin else 404 if role == Role.MEMBER else 403)
    assert client.delete(f"{URL}/{of_alice}").status_code == {Role.OWNER: 204, Role.MEMBER: 404}.get(role, 403)


def test_an_organization_bounds_the_life_of_tokens(alice: Person) -> None:
    client = alice.client()
    assert client.post(URL, {"name": "x"}).json()["expires_at"] is None
    client.patch("/api/organization", {"token_max_days": 30})
    ends = datetime.fromisoformat(client.post(URL, {"name": "y"}).json()["expires_at"])
    assert timedelta(days=29) < ends - timezone.now() <= timedelta(days=30)
    too_long = client.post(URL, {"name": "z", "expires_at": (timezone.now() + timedelta(days=31)).isoformat()})
    assert (too_long.status_code, too_long.json()["errors"][0]["code"]) == (400, "too_long")
    assert client.post(URL, {"name": "z", "expires_at": (timezone.now() + timedelta(days=3)).isoformat()}).status_code == 201


def test_a_role_that_shrinks_takes_the_token_with_it(alice: Person, bob: Person) -> None:
    client = bob.client()
    assert client.post(URL, {"name": "x"}).status_code == 201
    Membership.objects.filter(user=bob.user).update(role=Role.VIEWER)
    assert client.post(URL, {"name": "y"}).status_code == 403
    assert client.get("/api/conversations").status_code == 403
    assert client.get("/api/providers").status_code == 200


def test_a_limit_ends_the_tokens_that_were_made_before_it(alice: Person) -> None:
    old, new = alice.client(), alice.client()
    ApiToken.objects.filter(pk=ApiToken.objects.order_by("created").first().pk).update(created=timezone.now() - timedelta(days=31))
    assert new.patch("/api/organization", {"token_max_days": 30}).status_code == 200
    assert (old.get("/api/tokens").status_code, new.get("/api/tokens").status_code) == (401, 200)
