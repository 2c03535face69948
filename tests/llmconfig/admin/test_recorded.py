"""What is done in Django's admin is recorded, on every screen of it: who, what and which fields, never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group

from llmconfig.llm import Secret
from llmconfig.models import Membership, UserLLMConfig
from llmconfig.services import create_config
from llmconfig.tenancy.audit import INSTALLATION, AuditEvent
from llmconfig.tenancy.audit.admin import Audited
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from django.test import Client

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(person("root", is_superuser=True).user)
    return client


def told(**filters: Any) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action__startswith="admin.", **filters).order_by("seq"))


def test_every_screen_is_audited() -> None:
    assert admin.site._registry
    assert all(isinstance(each, Audited) for each in admin.site._registry.values())


def test_a_change_of_role(alice: Person, bob: Person, root: Client) -> None:
    membership = Membership.objects.get(user=bob.user)
    body = {"user": str(bob.user.pk), "organization": str(alice.organization.pk), "role": "admin"}
    assert root.post(f"/admin/llmconfig/membership/{membership.pk}/change/", body).status_code == 302
    (event,) = told()
    assert (event.chain, event.action, event.actor, event.ip) == (alice.organization.pk, "admin.changed", "root", "127.0.0.1")
    assert (event.object_type, event.object_id) == ("membership", str(membership.pk))
    assert event.details == {"changes": [{"changed": {"fields": ["Role"]}}]}


def test_a_user_is_told_in_their_organizations(alice: Person, bob: Person, root: Client) -> None:
    assert root.post("/admin/auth/group/add/", {"name": "people"}).status_code == 302
    assert told()[0].chain == INSTALLATION
    assert root.post(f"/admin/llmconfig/user/{bob.user.pk}/delete/", {"post": "yes"}).status_code == 302
    (event,) = told(action="admin.deleted")
    assert (event.chain, event.object_label) == (alice.organization.pk, "bob")


def test_promise_34_what_is_deleted_from_a_list_and_its_event_are_one(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [Group.objects.create(name=name) for name in ("a", "b")]
    body = {"action": "delete_selected", "post": "yes", "_selected_action": [group.pk for group in groups]}
    with monkeypatch.context() as patch:
        patch.setattr(AuditEvent, "save", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            root.post("/admin/auth/group/", body)
    assert Group.objects.count() == 2
    assert root.post("/admin/auth/group/", body).status_code == 302
    assert not Group.objects.exists()
    assert [event.object_label for event in told(action="admin.deleted")] == ["a", "b"]


def test_an_action_of_a_list(alice: Person, root: Client) -> None:
    config = create_config(caller=alice.caller, provider_type="openai", name="OpenAI", api_key=Secret("sk-canary-0123456789"))
    assert root.post("/admin/llmconfig/userllmconfig/", {"action": "disable", "_selected_action": [str(config.pk)]}).status_code == 302
    assert UserLLMConfig.objects.get().is_enabled is False
    (event,) = told()
    assert (event.action, event.object_type, event.details) == ("admin.acted", "config", {"changes": [{"action": "disable"}]})
    root.post(
        f"/admin/llmconfig/userllmconfig/{config.pk}/change/",
        {"name": "OpenAI", "options": "{}", "new_key": "sk-canary-new-012345", "priority": 0, "weight": 1},
    )
    assert all("canary" not in str(event.content()) for event in AuditEvent.objects.all())
    root.post("/admin/llmconfig/userllmconfig/", {"action": "disable"})  # nothing is selected
    assert len(told(action="admin.acted")) == 1
