"""What takes a run's right to go on, how it is found, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from agent.models import Run
from agent.services.access import NO_CONFIG, NO_PERSON, NO_TOKEN, REVOKED, revoked
from agent.services.claims import Stopped, heartbeat, sweep
from agent.services.conversations import post_message
from agent.services.plans import Refused, load_work
from llmconfig.llm import Secret
from llmconfig.models import UserLLMConfig
from llmconfig.services import create_config, update_config
from llmconfig.tenancy.accounts import create_api_token
from llmconfig.tenancy.models import ApiToken, Membership, Role, User
from tests.agent.rows import answered, claimed, conversation_of, decision, queued_run, service_of, tool_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import DjangoAssertNumQueries

    from agent.services.claims import Claim
    from tests.llmconfig.people import Person


def membership_removed(run: Run) -> None:
    Membership.objects.filter(user=run.user, organization=run.organization).delete()


def made_viewer(run: Run) -> None:
    Membership.objects.filter(user=run.user).update(role=Role.VIEWER)


def made_auditor(run: Run) -> None:
    Membership.objects.filter(user=run.user).update(role=Role.AUDITOR)


def user_deactivated(run: Run) -> None:
    User.objects.filter(pk=run.user_id).update(is_active=False)


def user_deleted(run: Run) -> None:
    assert run.user is not None
    Run.objects.filter(id=run.id).update(conversation=None)
    run.user.delete()


def token_revoked(run: Run) -> None:
    ApiToken.objects.filter(pk=run.token).delete()


def config_disabled(run: Run) -> None:
    UserLLMConfig.objects.filter(pk=run.config_id).update(is_enabled=False)


def config_deleted(run: Run) -> None:
    run.config.delete()


PEOPLE = [(each, NO_PERSON) for each in (membership_removed, made_viewer, made_auditor, user_deactivated, user_deleted)]
TAKEN = [*PEOPLE, (token_revoked, NO_TOKEN), (config_disabled, NO_CONFIG), (config_deleted, NO_CONFIG)]


def named(cases: list[tuple[Callable[[Run], None], str]]) -> list[Any]:
    return [pytest.param(*case, id=case[0].__name__) for case in cases]


@pytest.fixture
def run(bob: Person) -> Run:
    """Of Bob, with a token, on a provider that his organization shares."""
    run = queued_run(bob)
    run.token = create_api_token(user=bob.user, organization=bob.organization, name="script")[0].pk
    run.save()
    return run


@pytest.fixture
def others(alice: Person, run: Run) -> list[Run]:
    """Alice's, with nothing taken from her: one by a session, one by a token."""
    token = create_api_token(user=alice.user, organization=alice.organization, name="script")[0]
    runs = [queued_run(alice) for _ in range(2)]
    Run.objects.filter(id=runs[1].id).update(token=token.pk)
    UserLLMConfig.objects.filter(pk=runs[0].config_id).update(is_default=True)
    own = create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("sk-ant-test-1234567890"))
    Run.objects.filter(id__in=[each.id for each in runs]).update(config=own)
    return runs


@pytest.mark.parametrize(("take", "why"), named(TAKEN))
def test_promise_12_a_heartbeat_finds_runs_that_may_not_go_on(
    take: Callable[[Run], None], why: str, run: Run, others: list[Run], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    claims: list[Claim] = [claimed(each) for each in (run, *others)]
    assert heartbeat(claims) == {}
    take(run)
    with django_assert_num_queries(5):  # savepoint, UPDATE, two SELECTs, release: however many runs
        assert heartbeat(claims) == {run.id: Stopped("revoked", why)}


@pytest.mark.parametrize(("take", "why"), named([*PEOPLE, (token_revoked, NO_TOKEN)]))
def test_promise_12_a_queued_run_that_may_not_begin_is_refused_at_its_claim(take: Callable[[Run], None], why: str, run: Run) -> None:
    take(run)
    Run.objects.filter(id=run.id, conversation=None).update(conversation=conversation_of_the_organization(run))
    claimed(run)
    refused = load_work(run.id, last_seq=0)
    assert isinstance(refused, Refused)
    assert (refused.kind, refused.detail) == (REVOKED, why)


def conversation_of_the_organization(run: Run) -> Any:
    from tests.llmconfig.people import person

    return conversation_of(person("keeper", run.organization))


@pytest.mark.parametrize(("take", "why"), named(TAKEN))
def test_promise_12_a_run_that_waits_is_queued_to_be_ended(
    take: Callable[[Run], None],
    why: str,
    run: Run,
    bob: Person,
    others: list[Run],
    rung: list[str],
    django_capture_on_commit_callbacks: Any,
) -> None:
    for each in (run, *others):
        service = service_of(bob, "close", slug=f"crm-{uuid4().hex[:6]}")
        answered(claimed(each), each, calls=(decision(tool_call(f"{service.slug}__close"), service, "waiting"),))
    Run.objects.update(status="waiting_approval")
    assert sweep() == 0
    take(run)
    with django_capture_on_commit_callbacks(execute=True):
        assert sweep() == 1
    assert rung == [str(run.id)]
    assert {each.id: each.status for each in Run.objects.filter(status="queued")} == {run.id: "queued"}


def test_a_config_that_went_to_somebody_else_is_lost_to_the_run(bob: Person, alice: Person) -> None:
    config = create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("sk-ant-test-1234567890"), shared=True)
    run = queued_run(bob)
    Run.objects.filter(id=run.id).update(config=config)
    mine = Run.objects.filter(id=run.id)
    assert revoked(mine) == {}
    update_config(caller=alice.caller, id=config.pk, shared=False)
    assert revoked(mine) == {run.id: NO_CONFIG}


def test_a_run_that_is_there_no_more_is_let_go(run: Run, others: list[Run]) -> None:
    claims = [claimed(each) for each in (run, *others)]
    Run.objects.filter(id=run.id).delete()
    assert heartbeat(claims) == {run.id: Stopped("stale")}


def test_a_run_that_has_just_ended_is_left_to_tell_so(run: Run) -> None:
    claim = claimed(run)
    Run.objects.filter(id=run.id).update(status="completed", lease_owner="")
    assert heartbeat([claim]) == {}


def test_a_token_that_only_expired_lets_its_run_finish(run: Run) -> None:
    from datetime import timedelta

    from django.utils import timezone

    ApiToken.objects.filter(pk=run.token).update(expiry=timezone.now() - timedelta(seconds=1))
    assert heartbeat([claimed(run)]) == {}


def test_a_run_knows_the_token_that_asked_for_it(bob: Person, valkey: str, rung: list[str]) -> None:
    import dataclasses

    token = create_api_token(user=bob.user, organization=bob.organization, name="script")[0]
    said = [{"type": "text", "text": "Hello"}]
    by_token = dataclasses.replace(bob.caller, token_id=token.pk)
    runs = [post_message(caller=who, conversation=conversation_of(bob), parts=said).run for who in (by_token, bob.caller)]
    assert [Run.objects.get(id=run.id).token for run in runs] == [token.pk, None]
