"""`/api/organization` and `/api/organizations`: the policy, founding, choosing and ending an organization."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from rest_framework.test import APIClient

from llmconfig import services
from llmconfig.llm import Secret
from llmconfig.models import ApiToken, UserLLMConfig
from llmconfig.services import organizations
from llmconfig.tenancy.accounts import create_organization
from llmconfig.tenancy.audit import INSTALLATION, AuditEvent
from llmconfig.tenancy.keys import open_for
from llmconfig.tenancy.models import DataKey, Membership, Organization, Role
from llmconfig.vault import Unreadable
from tests.llmconfig.people import Person, person

pytestmark = pytest.mark.django_db
URL, ALL, SWITCH = "/api/organization", "/api/organizations", "/api/organization/switch"


def session_of(someone: Person) -> APIClient:
    client = APIClient()
    client.force_login(someone.user)
    return client


def errors(answer: Any, status: int = 400) -> list[tuple[str, str | None]]:
    assert answer.status_code == status, answer.content
    return [(error["code"], error["attr"]) for error in answer.json()["errors"]]


@pytest.mark.parametrize("role", Role)
def test_every_member_reads_it_and_admins_change_it(alice: Person, role: Role) -> None:
    carol = person("carol", alice.organization, role)
    row = carol.client().get(URL).json()
    assert (row["slug"], row["role"], row["counts"]) == (
        "alice",
        role.value,
        {"members": 2, "owners": 1 + (role == Role.OWNER), "invitations": 0},
    )
    assert row["allowed_providers"] is None
    assert carol.client().patch(URL, {"name": "Renamed"}).status_code == (200 if role in {Role.ADMIN, Role.OWNER} else 403)
    assert carol.client(["read", "run"]).patch(URL, {"name": "Renamed"}).status_code == 403


def test_the_policy_is_kept_as_it_is_meant_and_audited(alice: Person) -> None:
    body = {
        "allowed_providers": ["anthropic", "openai", "anthropic"],
        "allowed_models": [" anthropic/claude-* ", "*/gpt-5"],
        "allowed_hosts": ["API.example.com", "*.example.org:8443", "[::1]:11434", "localhost"],
        "members_may_bring_keys": False,
        "retention_days": 90,
        "audit_retention_days": 365,
        "token_max_days": 30,
    }
    row = alice.client().patch(URL, body).json()
    assert row["allowed_providers"] == ["anthropic", "openai"]
    assert row["allowed_models"] == ["anthropic/claude-*", "*/gpt-5"]
    assert row["allowed_hosts"] == ["api.example.com", "*.example.org:8443", "[::1]:11434", "localhost"]
    event = AuditEvent.objects.get(chain=alice.organization.pk, action="policy.changed")
    assert event.details["retention_days"] == {"before": None, "after": 90}
    assert event.actor == "alice"
    assert alice.client().patch(URL, body).status_code == 200
    assert AuditEvent.objects.filter(action="policy.changed").count() == 1  # nothing changed
    assert alice.client().patch(URL, {"allowed_hosts": None, "retention_days": None}).json()["retention_days"] is None


@pytest.mark.parametrize(
    ("body", "code", "attr"),
    [
        ({"allowed_providers": ["anthropic", "nobody"]}, "unknown_provider", "allowed_providers.1"),
        ({"allowed_providers": "anthropic"}, "not_a_list", "allowed_providers"),
        ({"allowed_models": ["claude"]}, "bad_pattern", "allowed_models.0"),
        ({"allowed_models": ["nobody/claude"]}, "unknown_provider", "allowed_models.0"),
        ({"allowed_models": ["anthropic/"]}, "bad_pattern", "allowed_models.0"),
        ({"allowed_hosts": ["https://api.example.com"]}, "bad_pattern", "allowed_hosts.0"),
        ({"allowed_hosts": ["a.example.com", "api.example.com/v1"]}, "bad_pattern", "allowed_hosts.1"),
        ({"allowed_hosts": ["*"]}, "bad_pattern", "allowed_hosts.0"),
        ({"allowed_hosts": ["a.*.example.com"]}, "bad_pattern", "allowed_hosts.0"),
        ({"allowed_hosts": ["api.example.com:0"]}, "bad_pattern", "allowed_hosts.0"),
        ({"allowed_hosts": ["api.example.com:99999"]}, "bad_pattern", "allowed_hosts.0"),
        ({"allowed_hosts": ["me@api.example.com"]}, "bad_pattern", "allowed_hosts.0"),
        ({"allowed_hosts": ["h"] * 201}, "max_length", "allowed_hosts"),
        ({"retention_days": 0}, "min_value", "retention_days"),
        ({"audit_retention_days": -1}, "min_value", "audit_retention_days"),
        ({"token_max_days": 40_000}, "max_value", "token_max_days"),
        ({"name": ""}, "blank", "name"),
        ({"slug": "other"}, "unknown_field", "slug"),
        ({"requires_mfa": True}, "mfa_missing", "requires_mfa"),
    ],
)
def test_a_policy_that_is_none(alice: Person, body: dict[str, Any], code: str, attr: str) -> None:
    assert errors(alice.client().patch(URL, body))[0] == (code, attr)
    assert not AuditEvent.objects.filter(action="policy.changed").exists()


def test_a_second_factor_is_required_by_whoever_has_one(alice: Person) -> None:
    carol, client = person("carol", alice.organization, Role.ADMIN), alice.client()
    assert errors(carol.client().patch(URL, {"requires_mfa": True})) == [("mfa_missing", "requires_mfa")]
    Authenticator.objects.create(user=alice.user, type=Authenticator.Type.TOTP, data={})
    assert client.patch(URL, {"requires_mfa": True}).json()["requires_mfa"] is True
    assert client.patch(URL, {"requires_mfa": True, "name": "Same"}).status_code == 200  # it is so already
    assert carol.client().patch(URL, {"name": "Mine"}).json()["errors"][0]["code"] == "mfa_required"
    assert client.patch(URL, {"requires_mfa": False}).json()["requires_mfa"] is False


def test_an_owner_ends_it_and_its_secrets_for_good(alice: Person, bob: Person) -> None:
    config = services.create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("sk-ant-0123456789wxyz"))
    carol = person("carol", alice.organization, Role.ADMIN)
    assert carol.client().delete(URL, {"confirm": "alice"}).status_code == 403
    client = alice.client()
    assert errors(client.delete(URL, {"confirm": "Alice"})) == [("not_confirmed", "confirm")]
    assert errors(client.delete(URL))[0] == ("required", "confirm")
    id = alice.organization.pk
    assert client.delete(URL, {"confirm": "alice"}).status_code == 204
    assert not Organization.objects.filter(pk=id).exists()
    assert not DataKey.objects.filter(organization=id).exists()
    assert not UserLLMConfig.objects.exists()
    with pytest.raises(Unreadable):
        open_for(config, "api_key")  # as a copy of the row would be
    assert client.get(URL).status_code == 401
    assert not ApiToken.objects.exists()
    events = AuditEvent.objects.filter(action="organization.deleted")
    assert {event.chain for event in events} == {id, INSTALLATION}
    assert {(event.actor, event.object_label) for event in events} == {("alice", "alice")}
    assert session_of(bob).get(URL).status_code == 403
    assert session_of(bob).get(ALL).json()["results"] == []


def test_somebody_without_an_organization_founds_one(bob: Person) -> None:
    Membership.objects.filter(user=bob.user).delete()
    client = session_of(bob)
    assert client.get(URL).status_code == 403
    made = client.post(ALL, {"name": "Bob's own"}, headers={"Idempotency-Key": "k"})
    assert (made.status_code, made.json()["role"], made.json()["slug"]) == (201, "owner", "bobs-own")
    assert client.get(URL).json()["name"] == "Bob's own"
    assert AuditEvent.objects.filter(chain=made.json()["id"], action="organization.created", actor="bob").exists()


def test_founding_again_with_the_same_key_founds_once(alice: Person) -> None:
    client = session_of(alice)
    first = client.post(ALL, {"name": "Second"}, headers={"Idempotency-Key": "k"})
    assert client.post(ALL, {"name": "Second"}, headers={"Idempotency-Key": "k"}).json() == first.json()
    assert Organization.objects.count() == 2


def test_founding_has_a_bound(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(organizations, "MAX_OWNED", 2)
    client = session_of(alice)
    assert client.post(ALL, {"name": "Second"}).status_code == 201
    assert errors(client.post(ALL, {"name": "Third"}), 409) == [("too_many", None)]


def test_a_session_switches_and_falls_back_when_it_may_not_stay(alice: Person, mallory: Person) -> None:
    client, second = session_of(alice), create_organization(name="Second", owner=alice.user)
    assert {(row["slug"], row["current"]) for row in client.get(ALL).json()["results"]} == {("alice", True), ("second", False)}
    assert client.post(SWITCH, {"id": str(second.pk)}).json()["slug"] == "second"
    assert client.get(URL).json()["slug"] == "second"
    assert errors(client.post(SWITCH, {"id": str(mallory.organization.pk)}), 404) == [("not_found", None)]
    assert errors(client.post(SWITCH, {"id": "x"}))[0] == ("invalid", "id")
    assert client.get(URL).json()["slug"] == "second"
    Membership.objects.filter(user=alice.user, organization=second).delete()
    assert client.get(URL).json()["slug"] == "alice"


def test_a_token_is_bound(alice: Person) -> None:
    second = create_organization(name="Second", owner=alice.user)
    client = alice.client()
    assert [row["slug"] for row in client.get(ALL).json()["results"]] == ["alice"]
    assert errors(client.post(SWITCH, {"id": str(second.pk)}), 409) == [("token_bound", None)]
    assert errors(client.post(ALL, {"name": "Third"}), 409) == [("token_bound", None)]


def test_a_stranger_is_asked_to_sign_in() -> None:
    client = APIClient()
    for answer in (
        client.get(URL),
        client.patch(URL, {}),
        client.delete(URL),
        client.get(ALL),
        client.post(ALL, {}),
        client.post(SWITCH, {}),
    ):
        assert answer.status_code == 401
