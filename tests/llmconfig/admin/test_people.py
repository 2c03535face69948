"""Organizations, memberships and users in the admin: the services' rules hold, and the trail shows who did it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.tenancy.accounts import create_user_with_organization
from llmconfig.tenancy.audit import AuditEvent
from llmconfig.tenancy.models import ApiToken, DataKey, Membership, Organization, Role, User

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.test import Client

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
ADMIN = "/admin/llmconfig"
INLINE = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}


@pytest.fixture
def operator(client: Client, db: None) -> Client:
    client.force_login(create_user_with_organization(username="root", is_superuser=True))
    return client


def membership_of(someone: Person) -> Membership:
    return Membership.objects.get(user=someone.user, organization=someone.organization)


def policy(**changed: Any) -> dict[str, Any]:
    lists = dict.fromkeys(("allowed_providers", "allowed_models", "allowed_hosts"), "null")
    return {"name": "alice", "members_may_bring_keys": "on", **lists, **INLINE} | changed


def told(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def of_services(person: Person) -> QuerySet[AuditEvent]:
    """What the services recorded; the admin adds that it was done there."""
    return AuditEvent.objects.filter(chain=person.organization.pk).exclude(action__startswith="admin.").order_by("seq")


def test_the_policy_is_changed_checked_and_audited(operator: Client, alice: Person) -> None:
    page = f"{ADMIN}/organization/{alice.organization.pk}/change/"
    bad = operator.post(page, policy(allowed_hosts='["https://x"]'))
    assert "Write a host" in bad.content.decode()
    assert "JSON list" in operator.post(page, policy(allowed_models='{"a": 1}')).content.decode()
    assert operator.post(page, policy(allowed_providers='["anthropic"]', retention_days="30")).status_code == 302
    organization = Organization.objects.get(pk=alice.organization.pk)
    assert (organization.allowed_providers, organization.retention_days) == (["anthropic"], 30)
    event = AuditEvent.objects.get(action="policy.changed")
    assert (event.actor, event.ip, set(event.details)) == ("root", "127.0.0.1", {"allowed_providers", "retention_days"})


def test_the_last_owner_stays_here_too(operator: Client, alice: Person, bob: Person) -> None:
    one = membership_of(alice)
    changed = operator.post(f"{ADMIN}/membership/{one.pk}/change/", {"role": "member"}, follow=True)
    assert "last owner" in told(changed)
    deleted = operator.post(f"{ADMIN}/membership/{one.pk}/delete/", {"post": "yes"}, follow=True)
    assert "last owner" in told(deleted)
    gone = operator.post(f"{ADMIN}/user/{alice.user.pk}/delete/", {"post": "yes"}, follow=True)
    assert "last owner" in told(gone)
    several = {"action": "delete_selected", "_selected_action": [str(alice.user.pk), str(bob.user.pk)], "post": "yes"}
    assert "last owner" in told(operator.post(f"{ADMIN}/user/", several, follow=True))
    assert membership_of(alice).role == Role.OWNER
    assert User.objects.filter(username__in=["alice", "bob"]).count() == 2


def test_memberships_are_changed_added_and_removed(operator: Client, alice: Person, bob: Person, mallory: Person) -> None:
    operator.post(f"{ADMIN}/membership/{membership_of(bob).pk}/change/", {"role": "auditor"})
    body = {"user": str(mallory.user.pk), "organization": str(alice.organization.pk), "role": "viewer"}
    operator.post(f"{ADMIN}/membership/add/", body)
    operator.post(f"{ADMIN}/membership/", {"action": "delete_selected", "_selected_action": [str(membership_of(bob).pk)], "post": "yes"})
    roles = dict(Membership.objects.filter(organization=alice.organization).values_list("user__username", "role"))
    assert roles == {"alice": "owner", "mallory": "viewer"}
    events = of_services(alice).values_list("action", "actor", "object_label")
    assert list(events) == [
        ("member.role_changed", "root", "bob"),
        ("member.joined", "root", "mallory"),
        ("member.removed", "root", "bob"),
    ]


def test_an_organization_and_a_user_go_through_the_services(operator: Client, alice: Person, bob: Person, mallory: Person) -> None:
    alice.client()
    operator.post(f"{ADMIN}/user/{bob.user.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(username="bob").exists()
    operator.post(f"{ADMIN}/organization/{alice.organization.pk}/delete/", {"post": "yes"})
    assert not Organization.objects.filter(pk=alice.organization.pk).exists()
    assert not DataKey.objects.filter(organization=alice.organization.pk).exists()
    actions = of_services(alice).values_list("action", flat=True)
    assert list(actions) == ["member.removed", "organization.deleted"]
    assert Organization.objects.filter(pk=mallory.organization.pk).exists()


def test_a_token_is_revoked_with_a_trace(operator: Client, alice: Person) -> None:
    client = alice.client()
    operator.post(f"{ADMIN}/apitoken/{ApiToken.objects.get().pk}/delete/", {"post": "yes"})
    assert client.get("/api/tokens").status_code == 401
    assert AuditEvent.objects.get(action="token.revoked").actor == "root"


def test_an_organization_is_not_made_without_an_owner(operator: Client) -> None:
    assert operator.get(f"{ADMIN}/organization/add/").status_code == 403
