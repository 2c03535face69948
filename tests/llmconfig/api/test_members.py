"""Members and invitations: who may give which role to whom, and what leaves with a person."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from llmconfig import services
from llmconfig.llm import Secret
from llmconfig.models import ApiToken, IdempotencyRecord, UserLLMConfig
from llmconfig.tenancy.accounts import create_organization
from llmconfig.tenancy.audit import AuditEvent
from llmconfig.tenancy.errors import ServiceError
from llmconfig.tenancy.models import Invitation, Membership, Organization, Role, User
from tests.llmconfig.people import Person, person

pytestmark = pytest.mark.django_db
URL, INVITATIONS = "/api/organization/members", "/api/organization/invitations"
BELOW = {Role.VIEWER, Role.MEMBER, Role.AUDITOR}


def membership_of(someone: Person) -> Membership:
    return Membership.objects.get(user=someone.user, organization=someone.organization)


def one(someone: Person) -> str:
    return f"{URL}/{membership_of(someone).pk}"


def code_of(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.content
    return str(answer.json()["errors"][0]["code"])


def test_members_are_seen_by_all_and_their_mail_by_admins(alice: Person, mallory: Person) -> None:
    carol = person("carol", alice.organization, Role.VIEWER, email="carol@example.com")
    rows = alice.client().get(URL).json()["results"]
    assert [(row["user"]["username"], row["role"], row["user"]["email"]) for row in rows] == [
        ("carol", "viewer", "carol@example.com"),
        ("alice", "owner", ""),
    ]
    assert {row["user"]["email"] for row in carol.client().get(URL).json()["results"]} == {None}
    assert "mallory" not in str(rows)


def test_the_list_costs_the_same_for_many(alice: Person, django_assert_num_queries: Any) -> None:
    client = alice.client()
    client.get(URL)
    for number in range(5):
        person(f"p{number}", alice.organization)
    with django_assert_num_queries(2):  # token with its role, list
        assert len(client.get(URL).json()["results"]) == 6


@pytest.mark.parametrize("acting", Role)
@pytest.mark.parametrize("target", Role)
def test_who_gives_which_role_to_whom(alice: Person, acting: Role, target: Role) -> None:
    carol, dave = person("carol", alice.organization, acting), person("dave", alice.organization, target)
    for role in Role:
        Membership.objects.filter(user=dave.user).update(role=target)
        answer = carol.client().patch(one(dave), {"role": role.value})
        may = acting == Role.OWNER or (acting == Role.ADMIN and {target, role} <= BELOW)
        assert answer.status_code == (200 if may else 403), (acting, target, role)
        assert membership_of(dave).role == (role if may else target)
    Membership.objects.filter(user=dave.user).update(role=target)
    may = acting == Role.OWNER or (acting == Role.ADMIN and target in BELOW)
    assert carol.client().delete(one(dave)).status_code == (204 if may else 403)
    assert Membership.objects.filter(user=dave.user).exists() is not may


def test_the_last_owner_stays(alice: Person, bob: Person) -> None:
    client = alice.client()
    assert code_of(client.patch(one(alice), {"role": "admin"}), 409) == "last_owner"
    assert code_of(client.delete(one(alice)), 409) == "last_owner"
    assert client.patch(one(bob), {"role": "owner"}).status_code == 200
    assert client.patch(one(alice), {"role": "member"}).status_code == 200
    assert client.patch(one(bob), {"role": "viewer"}).status_code == 403  # a dropped role holds from the next request on


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_demote_each_other_at_once_leave_one(alice: Person) -> None:
    dave = person("dave", alice.organization, Role.OWNER)
    start, outcomes = threading.Barrier(2), []

    def demote(acting: Person, target: Person) -> None:
        try:
            id = membership_of(target).pk
            start.wait(10)
            services.change_role(caller=acting.caller, id=id, role=Role.MEMBER)
            outcomes.append("done")
        except ServiceError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=demote, args=pair) for pair in ((alice, dave), (dave, alice))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["done", "permission_denied"]
    assert Membership.objects.filter(organization=alice.organization, role=Role.OWNER).count() == 1


def test_what_leaves_with_a_member(alice: Person, bob: Person) -> None:
    second = create_organization(name="Second", owner=bob.user)
    key = Secret("sk-ant-0123456789wxyz")
    services.create_config(caller=bob.caller, provider_type="anthropic", api_key=key, name="Bob's")
    services.create_config(caller=alice.caller, provider_type="anthropic", api_key=key, name="Shared", shared=True)
    client = bob.client()
    ApiToken.objects.create(bob.user, organization=second, name="of the second")
    session = APIClient()
    session.force_login(bob.user)
    session.post("/api/organization/switch", {"id": str(alice.organization.pk)})
    assert alice.client().delete(one(bob)).status_code == 204
    assert client.get("/api/organization").status_code == 401
    assert session.get("/api/organization").json()["slug"] == "second"
    assert list(UserLLMConfig.objects.values_list("name", flat=True)) == ["Shared"]
    assert [token.name for token in ApiToken.objects.filter(user=bob.user)] == ["of the second"]
    event = AuditEvent.objects.get(action="member.removed")
    assert (event.object_label, event.details["configs"], event.details["tokens"], event.details["left"]) == ("bob", ["Bob's"], 1, False)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR, Role.MEMBER, Role.ADMIN])
def test_anybody_leaves_by_themselves(alice: Person, role: Role) -> None:
    carol = person("carol", alice.organization, role)
    assert carol.client(["run"]).delete(one(carol)).status_code == 403  # a token needs the scope of an admin for it
    assert carol.client().delete(one(carol)).status_code == 204
    assert AuditEvent.objects.get(action="member.removed").details["left"] is True


def test_an_invitation_is_shown_once_and_kept_as_a_digest(alice: Person) -> None:
    client = alice.client()
    made = client.post(URL, {"email": "zoe@example.com", "role": "member"}, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201
    link, row = made.json()["link"], Invitation.objects.get()
    value = link.rstrip("/").rpartition("/")[2]
    assert link == f"http://testserver/accounts/invitation/{value}/"
    assert row.digest == services.digest_of(value)
    assert len(value) >= 43
    assert row.expires_at - row.created_at >= timedelta(days=6, hours=23)
    assert client.post(URL, {"email": "zoe@example.com", "role": "member"}, headers={"Idempotency-Key": "k"}).json() == made.json()
    listed = client.get(INVITATIONS).json()["results"]
    assert [(each["email"], each["status"], each["invited_by"]) for each in listed] == [("zoe@example.com", "pending", "alice")]
    everything = f"{listed}{AuditEvent.objects.values()}{IdempotencyRecord.objects.values()}{Invitation.objects.values()}"
    assert value not in everything
    assert AuditEvent.objects.get(action="member.invited").details["role"] == "member"
    assert client.get(f"{INVITATIONS}/{row.pk}").json() == listed[0]


def test_states_renewal_and_revocation(alice: Person, bob: Person) -> None:
    client = alice.client()
    made = client.post(URL, {"role": "viewer", "expires_in_days": 1}).json()
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(INVITATIONS).json()["results"][0]["status"] == "expired"
    renewed = client.post(f"{INVITATIONS}/{made['id']}/renew", {}).json()
    assert (renewed["status"], renewed["link"] != made["link"]) == ("pending", True)
    assert Invitation.objects.get().digest == services.digest_of(renewed["link"].split("/")[-2])
    Invitation.objects.update(accepted_at=timezone.now(), accepted_by=bob.user)
    assert client.get(INVITATIONS).json()["results"][0]["accepted_by"] == "bob"
    assert code_of(client.post(f"{INVITATIONS}/{made['id']}/renew", {}), 409) == "accepted"
    assert code_of(client.delete(f"{INVITATIONS}/{made['id']}"), 409) == "accepted"
    Invitation.objects.update(accepted_at=None)
    assert client.delete(f"{INVITATIONS}/{made['id']}").status_code == 204
    assert not Invitation.objects.exists()


@pytest.mark.parametrize("acting", Role)
def test_who_invites_as_what(alice: Person, acting: Role) -> None:
    carol = person("carol", alice.organization, acting)
    for role in Role:
        may = acting == Role.OWNER or (acting == Role.ADMIN and role in BELOW)
        assert carol.client().post(URL, {"role": role.value}).status_code == (201 if may else 403)
    by_owner = alice.client().post(URL, {"role": "admin"}).json()["id"]
    listed = carol.client().get(INVITATIONS)
    assert listed.status_code == (200 if acting in {Role.ADMIN, Role.OWNER} else 403)
    assert carol.client().delete(f"{INVITATIONS}/{by_owner}").status_code == (204 if acting == Role.OWNER else 403)


def test_who_is_removed_or_demoted_leaves_no_open_door(alice: Person) -> None:
    carol = person("carol", alice.organization, Role.OWNER)
    for role in ("member", "admin", "owner"):
        carol.client().post(URL, {"role": role})
    alice.client().patch(one(carol), {"role": "admin"})
    assert [row.role for row in Invitation.objects.all()] == ["member"]
    alice.client().delete(one(carol))
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"role": "king"}, "invalid_choice"),
        ({"role": "member", "email": "nobody"}, "invalid"),
        ({"role": "member", "expires_in_days": 0}, "min_value"),
        ({"role": "member", "expires_in_days": 31}, "max_value"),
        ({"role": "member", "user": "bob"}, "unknown_field"),
    ],
)
def test_bad_bodies(alice: Person, body: dict[str, Any], code: str) -> None:
    assert code_of(alice.client().post(URL, body), 400) == code


def test_inviting_tells_nothing_of_other_organizations(alice: Person) -> None:
    User.objects.create_user(username="zoe", email="zoe@example.com")  # somewhere else
    person("carol", alice.organization, email="carol@example.com")
    known, unknown = (alice.client().post(URL, {"role": "member", "email": mail}).json() for mail in ("zoe@example.com", "new@example.com"))
    assert set(known) == set(unknown)
    assert {each: known[each] for each in ("status", "accepted_by", "emailed")} == {
        each: unknown[each] for each in ("status", "accepted_by", "emailed")
    }
    assert code_of(alice.client().post(URL, {"role": "member", "email": "Carol@example.com"}), 400) == "already_member"


def test_a_mail_goes_out_where_there_is_a_server(alice: Person, settings: Any, django_capture_on_commit_callbacks: Any) -> None:
    body = {"email": "zoe@example.com", "role": "member"}
    assert alice.client().post(URL, body).json()["emailed"] is False
    settings.EMAIL_CONFIGURED = True
    Organization.objects.update(name="Two\r\nBcc: lines")
    with django_capture_on_commit_callbacks(execute=True):
        made = alice.client().post(URL, body).json()
    assert made["emailed"] is True
    (message,) = mail.outbox
    assert message.to == ["zoe@example.com"]
    assert made["link"] in message.body
    assert "\n" not in message.subject
    settings.EMAIL_BACKEND = "nowhere.Backend"
    with django_capture_on_commit_callbacks(execute=True):
        assert alice.client().post(URL, body).status_code == 201  # the link is there all the same


def test_foreign_members_and_invitations_are_not_there(alice: Person, bob: Person, mallory: Person) -> None:
    invitation = alice.client().post(URL, {"role": "member"}).json()["id"]
    client = mallory.client()
    answers = [
        client.patch(one(bob), {"role": "viewer"}),
        client.delete(one(bob)),
        client.get(f"{INVITATIONS}/{invitation}"),
        client.delete(f"{INVITATIONS}/{invitation}"),
        client.post(f"{INVITATIONS}/{invitation}/renew", {}),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert membership_of(bob).role == "member"
