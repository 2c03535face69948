"""`GET /api/user/llm-config/{id}/usage`: who depends on a config, and how much of that each may know."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from agent.models import Attempt, Conversation, Run, Step
from llmconfig.llm import Secret
from llmconfig.services import create_config

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def config(alice: Person) -> Any:
    return create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("sk-ant-first-0123-aaaa"), shared=True)


def used(person: Person, config: Any, *, title: str = "", days: int = 0, status: str = "completed", cost: str | None = "0.25") -> Run:
    conversation = Conversation.objects.create(organization=person.organization, owner=person.user, title=title, config=config)
    run = Run.objects.create(
        organization=person.organization, conversation=conversation, user=person.user, config=config, model="m", status=status
    )
    at = timezone.now() - timedelta(days=days)
    Run.objects.filter(id=run.id).update(created_at=at)
    step = Step.objects.create(run=run, index=1)
    Attempt.objects.create(
        step=step, config=config, provider="anthropic", model="m", created_at=at, cost=Decimal(cost) if cost else None, status="completed"
    )
    return run


def usage(person: Person, config: Any) -> dict[str, Any]:
    answer = person.client().get(f"/api/user/llm-config/{config.pk}/usage")
    assert answer.status_code == 200, answer.content
    told: dict[str, Any] = answer.json()
    return told


def test_nobody_depends_on_a_new_config(alice: Person, config: Any) -> None:
    assert usage(alice, config) == {
        "conversations": {"count": 0, "own": []},
        "people": {"count": 0, "names": []},
        "routes": [],
        "active_runs": 0,
        "requests": 0,
        "cost": [],
        "unknown_cost_requests": 0,
        "last_used_at": None,
    }


def test_who_depends_on_it(alice: Person, bob: Person, config: Any) -> None:
    used(alice, config, title="Mine", cost="1.50")
    used(bob, config, title="Bob's alone", status="running", cost=None)
    used(bob, config, title="Long ago", days=40)
    seen = usage(alice, config)
    assert (seen["conversations"]["count"], [each["title"] for each in seen["conversations"]["own"]]) == (3, ["Mine"])
    assert seen["people"] == {"count": 2, "names": ["alice", "bob"]}
    assert (seen["active_runs"], seen["requests"], seen["unknown_cost_requests"]) == (1, 2, 1)
    assert seen["cost"] == [{"amount": "1.5", "currency": "USD"}]
    assert seen["last_used_at"] is not None
    assert "Bob's alone" not in str(seen)


def test_a_member_reads_counts_and_no_names(bob: Person, alice: Person, config: Any) -> None:
    used(alice, config, title="Alice's alone")
    seen = usage(bob, config)
    assert seen["people"] == {"count": 1, "names": None}
    assert (seen["conversations"]["count"], seen["conversations"]["own"]) == (1, [])


def test_a_foreign_config_is_not_found(mallory: Person, bob: Person, alice: Person, config: Any) -> None:
    own = create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("sk-ant-other-0123-aaaa"))
    for person, id in ((mallory, config.pk), (bob, own.pk)):
        assert person.client().get(f"/api/user/llm-config/{id}/usage").status_code == 404


def test_it_costs_no_more_queries_the_more_there_is(alice: Person, config: Any, django_assert_max_num_queries: Any) -> None:
    for number in range(5):
        used(alice, config, title=str(number))
    client = alice.client()
    with django_assert_max_num_queries(11):
        client.get(f"/api/user/llm-config/{config.pk}/usage")
