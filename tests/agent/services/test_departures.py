"""What the agent lets go of when a person leaves, or an organization ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.models import Conversation, Run, Service, ToolGrant
from agent.services import live
from llmconfig import services
from llmconfig.tenancy.accounts import create_organization
from llmconfig.tenancy.audit.actors import OPERATOR
from llmconfig.tenancy.errors import Conflict
from llmconfig.tenancy.models import Membership, Role, User
from tests.agent.rows import claimed, queued_run, service_of
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Runs whose workers were told to stop, and those whose logs were ended or taken away."""
    heard: list[Any] = []
    monkeypatch.setattr(live, "tell_worker", lambda run: heard.append(("stop", run)))
    monkeypatch.setattr(live, "log_cancelled", lambda run, fence, known: heard.append(("ended", run)))
    monkeypatch.setattr(live, "forget_logs", lambda runs: heard.extend(("forgotten", run) for run in runs))
    return heard


def membership_of(someone: Person) -> Membership:
    return Membership.objects.get(user=someone.user, organization=someone.organization)


def test_runs_stop_and_own_services_go(alice: Person, bob: Person, told: list[Any], django_capture_on_commit_callbacks: Any) -> None:
    queued, running, of_alice = queued_run(bob), queued_run(bob), queued_run(alice)
    claimed(running)
    own, shared = service_of(bob, "find", slug="own"), service_of(bob, "find", slug="shared", shared=True)
    for service in (own, shared):
        ToolGrant.objects.create(user=bob.user, service=service, tool_name="find", definition_hash="x")
    with django_capture_on_commit_callbacks(execute=True):
        services.remove_member(caller=alice.caller, id=membership_of(bob).pk)
    assert Run.objects.get(id=queued.id).status == Run.Status.CANCELLED
    assert Run.objects.get(id=running.id).cancel_requested_at is not None
    assert Run.objects.get(id=of_alice.id).status == Run.Status.QUEUED
    assert set(told) == {("ended", queued.id), ("stop", running.id)}
    assert list(Service.objects.values_list("slug", flat=True)) == ["shared"]
    assert not ToolGrant.objects.exists()
    assert Conversation.objects.filter(owner=bob.user).count() == 2  # nobody else reads them; retention takes them


def test_another_organization_of_the_person_is_left_alone(alice: Person, bob: Person, told: list[Any]) -> None:
    second = create_organization(name="Second", owner=bob.user)
    Service.objects.create(organization=second, owner=bob.user, display_name="Kept", slug="kept", url="http://127.0.0.1:9/mcp")
    kept = Run.objects.create(organization=second, user=bob.user, model="m")
    services.remove_member(caller=alice.caller, id=membership_of(bob).pk)
    assert Service.objects.get().slug == "kept"
    assert Run.objects.get(id=kept.id).status == Run.Status.QUEUED


def test_an_organization_ends_with_its_runs(
    alice: Person, mallory: Person, told: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    queued, running = queued_run(alice), queued_run(alice)
    claimed(running)
    other = queued_run(mallory)
    with django_capture_on_commit_callbacks(execute=True):
        services.delete_organization(caller=alice.caller, confirm="alice")
    assert [run.id for run in Run.objects.all()] == [other.id]
    assert set(told) == {("stop", running.id), ("forgotten", queued.id), ("forgotten", running.id)}


def test_a_deleted_user_leaves_the_ledger_and_what_they_shared(alice: Person, bob: Person, told: list[Any]) -> None:
    run, shared = queued_run(bob), service_of(bob, "find", shared=True)
    services.delete_user(user=bob.user, actor=OPERATOR)
    left = Run.objects.get(id=run.id)
    assert (left.user, left.conversation, left.status) == (None, None, Run.Status.CANCELLED)
    assert Service.objects.get().pk == shared.pk
    assert not User.objects.filter(username="bob").exists()


def test_the_last_owner_among_others_is_not_deleted(alice: Person, bob: Person) -> None:
    with pytest.raises(Conflict, match="last owner of alice"):
        services.delete_user(user=alice.user, actor=OPERATOR)
    person("dave", alice.organization, Role.OWNER)
    services.delete_user(user=alice.user, actor=OPERATOR)
    assert Membership.objects.filter(organization=bob.organization).count() == 2


def test_whoever_is_alone_may_be_deleted(mallory: Person) -> None:
    services.delete_user(user=mallory.user, actor=OPERATOR)
    assert not User.objects.filter(pk=mallory.user.pk).exists()
