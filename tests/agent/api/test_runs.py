"""/api/runs and /api/tool-calls: state, events, cancel, and a person's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from agent.loop.intents import EndRun, WaitForPerson
from agent.models import Run, ToolCall, ToolGrant
from agent.services.journal import commit_intent
from llmconfig.tenancy.models import Role
from tests.agent.events import log_of
from tests.agent.rows import answered, begun, claimed, decision, queued_run, service_of, tool_call
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.usefixtures("valkey")

RUN = {
    "id", "conversation", "status", "finish_reason", "reasoning", "output_schema", "error", "created_at", "started_at", "finished_at",
    "steps", "usage", "cost", "currency",
}  # fmt: skip
ATTEMPT = {
    "id", "config", "provider", "model", "status", "error_kind", "latency_ms", "ttft_ms", "usage", "cost", "currency", "evidence",
}  # fmt: skip
CALL = {"id", "name", "service", "arguments", "status", "is_error", "expires_at"}


@pytest.fixture
def client(alice: Person) -> APIClient:
    return alice.client()


@pytest.fixture
def run(alice: Person) -> Run:
    return queued_run(alice)


def code(response: Any) -> str:
    found: str = response.json()["errors"][0]["code"]
    return found


def test_a_run_is_shown_whole(client: APIClient, alice: Person, run: Run) -> None:
    claim = claimed(run)
    answered(claim, run, calls=(decision(tool_call("crm__close", id=7), service_of(alice, "close"), "waiting"),))
    shown = client.get(f"/api/runs/{run.id}").json()
    assert set(shown) == RUN
    assert (shown["id"], shown["conversation"], shown["status"]) == (str(run.id), str(run.conversation_id), "running")
    (step,) = shown["steps"]
    assert set(step) == {"index", "attempts", "tool_calls"}
    assert set(step["attempts"][0]) == ATTEMPT
    assert set(step["tool_calls"][0]) >= CALL


def test_a_failed_run_says_why(client: APIClient, run: Run) -> None:
    commit_intent(claimed(run), EndRun("failed", error_kind="overloaded", error_detail="Busy. Try again."), seq=3)
    shown = client.get(f"/api/runs/{run.id}").json()
    assert shown["error"] == {"kind": "overloaded", "detail": "Busy. Try again."}
    assert shown["finished_at"] > shown["started_at"]


def test_a_run_costs_the_same_queries_however_long_it_is(
    client: APIClient, alice: Person, run: Run, django_assert_max_num_queries: Any
) -> None:
    service, claim = service_of(alice, "find"), claimed(run)

    def cost() -> int:
        with django_assert_max_num_queries(6) as counted:
            client.get(f"/api/runs/{run.id}")
        return len(counted)

    client.get(f"/api/runs/{run.id}")
    answered(claim, run, calls=(decision(tool_call(), service),))
    short = cost()
    for step in range(2, 12):
        answered(claim, run, calls=(decision(tool_call(), service), decision(tool_call(), service)), step=step)
    assert cost() == short


def test_a_queued_run_is_cancelled_and_its_log_says_so(client: APIClient, run: Run, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(f"/api/runs/{run.id}/cancel")
    assert response.status_code == 202
    assert set(response.json()) == RUN
    assert response.json()["status"] == "cancelled"
    assert log_of(run.id) == [(1, "run.cancelled", {})]
    assert client.post(f"/api/runs/{run.id}/cancel").json()["status"] == "cancelled"


def test_a_running_run_is_still_running_while_its_worker_hears_of_it(client: APIClient, run: Run) -> None:
    claimed(run)
    assert client.post(f"/api/runs/{run.id}/cancel").json()["status"] == "running"


def test_a_cancel_takes_no_fields(client: APIClient, run: Run) -> None:
    refused = client.post(f"/api/runs/{run.id}/cancel", {"reason": "bored"})
    assert (refused.status_code, code(refused)) == (400, "unknown_field")
    assert Run.objects.get().status == "queued"


def test_foreign_runs_and_calls_are_not_found(alice: Person, bob: Person, mallory: Person, run: Run) -> None:
    answered(claimed(run), run, calls=(decision(tool_call("crm__close"), service_of(alice, "close", shared=True), "waiting"),))
    call = ToolCall.objects.get()
    for other in (bob, mallory):
        stranger = other.client()
        calls = [
            stranger.get(f"/api/runs/{run.id}"),
            stranger.get(f"/api/runs/{run.id}/events"),
            stranger.post(f"/api/runs/{run.id}/cancel"),
            stranger.post(f"/api/tool-calls/{call.id}/approve", {}),
            stranger.post(f"/api/tool-calls/{call.id}/deny", {}),
            stranger.post(f"/api/tool-calls/{call.id}/resolve", {"outcome": "ran"}),
        ]
        assert [response.status_code for response in calls] == [404] * 6
    assert stranger.get(f"/api/runs/{uuid4()}").status_code == 404
    call.refresh_from_db()
    assert call.status == "waiting"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_who_only_looks_has_no_runs(alice: Person, run: Run, role: Role) -> None:
    client = person("looker", alice.organization, role).client()
    assert client.get(f"/api/runs/{run.id}").status_code == 403
    assert client.get(f"/api/runs/{run.id}/events").status_code == 403
    assert client.post(f"/api/runs/{run.id}/cancel").status_code == 403
    assert client.post(f"/api/tool-calls/{uuid4()}/approve", {}).status_code == 403


# Answers to calls that ask


@pytest.fixture
def call(alice: Person, run: Run) -> ToolCall:
    claim = claimed(run)
    answered(claim, run, calls=(decision(tool_call("crm__close", id=7), service_of(alice, "close"), "waiting"),))
    commit_intent(claim, WaitForPerson("tool"), seq=9)
    return ToolCall.objects.get()


@pytest.mark.parametrize("remember", ["run", "always", None])
def test_an_approval_answers_with_the_call(client: APIClient, run: Run, call: ToolCall, remember: str | None) -> None:
    response = client.post(f"/api/tool-calls/{call.id}/approve", {"remember": remember})
    assert response.status_code == 200
    assert set(response.json()) >= CALL
    assert (response.json()["id"], response.json()["status"]) == (str(call.id), "approved")
    assert ToolGrant.objects.count() == (remember is not None)
    assert client.get(f"/api/runs/{run.id}").json()["status"] == "queued"
    again = client.post(f"/api/tool-calls/{call.id}/deny", {})
    assert (again.status_code, code(again)) == (409, "already_decided")


def test_a_denial_answers_with_the_call(client: APIClient, call: ToolCall) -> None:
    response = client.post(f"/api/tool-calls/{call.id}/deny")
    assert (response.status_code, response.json()["status"]) == (200, "denied")


@pytest.mark.parametrize("verb", ["approve", "deny"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"arguments": {"id": 8}}, "unknown_field"),
        ({"remember": "run", "arguments": {}}, "unknown_field"),
        ({"remember": "forever"}, "invalid_choice"),
    ],
)
def test_edited_arguments_are_not_an_approval(client: APIClient, call: ToolCall, verb: str, body: dict[str, Any], expected: str) -> None:
    response = client.post(f"/api/tool-calls/{call.id}/{verb}", body)
    assert (response.status_code, code(response)) == (400, expected)
    call.refresh_from_db()
    assert call.status == "waiting"


def test_an_unknown_outcome_is_settled(client: APIClient, call: ToolCall) -> None:
    refused = client.post(f"/api/tool-calls/{call.id}/resolve", {"outcome": "ran"})
    assert (refused.status_code, code(refused)) == (409, "already_decided")
    ToolCall.objects.update(status="unknown")
    for body in ({}, {"outcome": "maybe"}, {"outcome": "ran", "result": "x"}):
        assert client.post(f"/api/tool-calls/{call.id}/resolve", body).status_code == 400
    settled = client.post(f"/api/tool-calls/{call.id}/resolve", {"outcome": "skip"})
    assert (settled.status_code, settled.json()["status"]) == (200, "denied")


def test_a_lost_attempt_is_shown_as_such(client: APIClient, run: Run) -> None:
    claim = claimed(run)
    begun(claim, run)
    begun(claim, run)
    statuses = [attempt["status"] for attempt in client.get(f"/api/runs/{run.id}").json()["steps"][0]["attempts"]]
    assert statuses == ["lost", "dispatched"]
