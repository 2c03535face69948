"""/api/user/services, their tools and grants, as api.md has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from agent.models import Service, ServiceTool, ToolGrant
from agent.services.listing import pin_tools
from llmconfig.tenancy.models import Role
from tests.agent.rows import definition, service_of
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper
    from rest_framework.test import APIClient

    from tests.llmconfig.people import Person

ALL = "/api/user/services"
SERVICE = {"id", "display_name", "slug", "transport", "url", "auth_type", "status", "shared", "is_enabled", "created_at"}
TOOL = {"name", "description", "input_schema", "annotations", "read_only", "policy", "state", "definition_hash", "pending_hash", "diff"}
TOKEN = "token-of-alice-0123456789"


@pytest.fixture(autouse=True)
def _loopback(settings: SettingsWrapper) -> None:
    settings.PRIVATE_HOSTS = ["127.0.0.1:*"]


@pytest.fixture
def client(alice: Person) -> APIClient:
    return alice.client()


@pytest.fixture
def service(alice: Person) -> Service:
    return service_of(alice, "find", "close")


def one(service: Service, *rest: str) -> str:
    return "/".join((ALL, str(service.id), *rest))


def code(response: Any) -> str:
    found: str = response.json()["errors"][0]["code"]
    return found


@pytest.mark.parametrize("url", ["http://mcp-server.invalid:8000/mcp", "http://mcp-server:8000/mcp"])
def test_a_host_of_one_word_is_an_address_like_any_other(client: APIClient, service: Service, url: str) -> None:
    assert client.patch(one(service), {"url": url}).json()["url"] == url


def test_a_key_in_the_address_is_shown_to_who_may_change_the_service(alice: Person, bob: Person) -> None:
    url = "http://127.0.0.1:9/mcp?key=canary-7f3a91c2&v=1"
    masked = "http://127.0.0.1:9/mcp?key=••••&v=••••"
    shared, own = service_of(alice, slug="ours", shared=True), service_of(bob, slug="bobs")
    Service.objects.update(url=url)
    looker, auditor = (person(role, alice.organization, role) for role in (Role.VIEWER, Role.AUDITOR))
    for who, shown in ((alice, url), (bob, masked), (looker, masked), (auditor, masked)):
        listed = {row["slug"]: row["url"] for row in who.client().get(ALL).json()["results"]}
        assert listed["ours"] == who.client().get(one(shared)).json()["url"] == shown
    assert bob.client().get(one(own)).json()["url"] == url
    assert alice.client().patch(one(shared), {"display_name": "New"}).json()["url"] == url


def test_a_service_is_made_and_asked_for_its_tools(client: APIClient, demo_url: str, settings: SettingsWrapper) -> None:
    settings.DEMO_SERVICE_URL = ""
    body = {"display_name": "Desk", "url": demo_url, "transport": "streamable-http", "auth_type": "bearer", "token": TOKEN}
    response = client.post(ALL, body)
    assert response.status_code == 201
    made = response.json()
    assert set(made) >= SERVICE
    assert (made["slug"], made["status"], made["shared"], made["is_enabled"]) == ("desk", "connected", False, True)
    assert TOKEN not in response.content.decode()
    assert client.get(one(Service.objects.get())).json() == made
    tools = client.get(one(Service.objects.get(), "tools")).json()["results"]
    assert len(tools) == made["tools"]
    assert set(tools[0]) == TOOL
    assert {tool["policy"] for tool in tools} == {"ask"}


def test_one_that_does_not_answer_is_kept_with_the_reason(client: APIClient) -> None:
    response = client.post(ALL, {"display_name": "Away", "url": "http://127.0.0.1:1/mcp"})
    assert response.status_code == 201
    assert response.json()["status"] == "unreachable"
    assert response.json()["status_detail"]


@pytest.mark.parametrize(
    ("body", "expected", "attr"),
    [
        ({}, "required", "display_name"),
        ({"display_name": "x", "url": "nope"}, "url_forbidden", "url"),
        ({"display_name": "x", "url": "http://169.254.169.254/"}, "url_forbidden", "url"),
        ({"display_name": "x", "url": "http://127.0.0.1:1/", "slug": "mine"}, "unknown_field", "slug"),
        ({"display_name": "x", "url": "http://127.0.0.1:1/", "is_demo": True}, "unknown_field", "is_demo"),
        ({"display_name": "x", "url": "http://127.0.0.1:1/", "transport": "pigeon"}, "invalid_choice", "transport"),
    ],
)
def test_what_a_service_cannot_be_is_refused_by_name(client: APIClient, body: dict[str, Any], expected: str, attr: str) -> None:
    response = client.post(ALL, body)
    assert response.status_code == 400
    assert (expected, attr) in {(found["code"], found["attr"]) for found in response.json()["errors"]}
    assert not Service.objects.exists()


def test_the_same_idempotency_key_makes_one_service(client: APIClient) -> None:
    body = {"display_name": "Away", "url": "http://127.0.0.1:1/mcp"}
    first, second = (client.post(ALL, body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json() == second.json()
    assert Service.objects.count() == 1
    other = client.post(ALL, body | {"display_name": "Other"}, headers={"Idempotency-Key": "k"})
    assert (other.status_code, code(other)) == (409, "idempotency_mismatch")


def test_a_service_changes_and_goes(client: APIClient, service: Service) -> None:
    changed = client.patch(one(service), {"display_name": "New", "is_enabled": False, "token": TOKEN, "auth_type": "bearer"})
    assert changed.status_code == 200
    assert (changed.json()["display_name"], changed.json()["is_enabled"], changed.json()["has_token"]) == ("New", False, True)
    moved = client.patch(one(service), {"url": "http://127.0.0.1:10/mcp"}).json()
    assert (moved["has_token"], moved["status"]) == (False, "untested")
    assert code(client.patch(one(service), {"status": "connected"})) == "unknown_field"
    assert client.delete(one(service)).status_code == 204
    assert client.get(one(service)).status_code == 404


def test_a_service_is_tested(client: APIClient, service: Service, demo_url: str) -> None:
    away = client.post(one(service, "test"))
    assert away.status_code == 200
    assert set(away.json()) == {"ok", "latency_ms", "tools", "error"}
    assert set(away.json()["error"]) == {"kind", "detail"}
    assert not away.json()["ok"]
    Service.objects.update(url=demo_url)
    there = client.post(one(service, "test")).json()
    assert (there["ok"], there["error"]) == (True, None)


def test_what_is_seen_is_ones_own_and_the_shared_newest_first(alice: Person, bob: Person, mallory: Person, service: Service) -> None:
    shared = service_of(alice, slug="ours", shared=True)
    own = service_of(bob, slug="bobs")
    foreign = service_of(mallory, slug="foreign", shared=True)
    client = bob.client()
    assert [row["slug"] for row in client.get(ALL).json()["results"]] == ["bobs", "ours"]
    for hidden in (service, foreign):
        calls = [
            client.get(one(hidden)),
            client.patch(one(hidden), {"display_name": "x"}),
            client.delete(one(hidden)),
            client.post(one(hidden, "test")),
            client.get(one(hidden, "tools")),
            client.patch(one(hidden, "tools/find"), {"policy": "deny"}),
            client.get(one(hidden, "grants")),
        ]
        assert [response.status_code for response in calls] == [404] * 7
    assert client.get(one(shared)).status_code == client.get(one(own)).status_code == 200
    assert client.patch(one(shared), {"is_enabled": False}).status_code == 403
    assert client.delete(one(shared)).status_code == 403


def test_pages_of_services_and_tools(client: APIClient, alice: Person, service: Service) -> None:
    service_of(alice, slug="second")
    page = client.get(ALL, {"page_size": 1}).json()
    assert [row["slug"] for row in page["results"]] == ["second"]
    assert [row["slug"] for row in client.get(page["next"]).json()["results"]] == ["crm"]
    page = client.get(one(service, "tools"), {"page_size": 1}).json()
    assert [row["name"] for row in page["results"]] == ["find"]
    assert [row["name"] for row in client.get(page["next"]).json()["results"]] == ["close"]


def test_lists_cost_the_same_however_long_they_are(
    client: APIClient, alice: Person, service: Service, django_assert_max_num_queries: Any
) -> None:
    def cost(url: str) -> int:
        with django_assert_max_num_queries(8) as counted:
            client.get(url)
        return len(counted)

    client.get(ALL)
    short = cost(ALL), cost(one(service, "tools")), cost(one(service, "grants"))
    pin_tools(service=service, definitions=[definition(f"tool{number}") for number in range(10)])
    for number in range(6):
        service_of(alice, "a", "b", slug=f"s{number}")
        ToolGrant.objects.create(user=alice.user, service=service, tool_name="find", definition_hash=str(number))
    assert (cost(ALL), cost(one(service, "tools")), cost(one(service, "grants"))) == short


def test_a_tools_policy_changes(client: APIClient, service: Service) -> None:
    changed = client.patch(one(service, "tools/find"), {"policy": "auto"})
    assert changed.status_code == 200
    assert set(changed.json()) == TOOL
    assert (changed.json()["policy"], changed.json()["read_only"]) == ("auto", True)
    for body, expected in (({"policy": "maybe"}, "invalid_choice"), ({"state": "approved"}, "unknown_field")):
        refused = client.patch(one(service, "tools/find"), body)
        assert (refused.status_code, code(refused)) == (400, expected)
    ServiceTool.objects.update(annotations={"destructiveHint": True})
    assert code(client.patch(one(service, "tools/close"), {"policy": "auto"})) == "not_read_only"
    assert client.patch(one(service, "tools/nothing"), {"policy": "deny"}).status_code == 404


@pytest.mark.parametrize(("name", "path"), [("a b", "a%20b"), ("files/read", "files%2Fread"), ("é?", "%C3%A9%3F"), ("approve", "approve")])
def test_a_tool_is_named_by_its_encoded_name(client: APIClient, service: Service, name: str, path: str) -> None:
    ServiceTool.objects.filter(name="find").update(name=name, state="new")
    assert client.patch(one(service, "tools", path), {"policy": "deny"}).json()["name"] == name
    assert client.post(one(service, "tools", path, "approve")).json()["state"] == "approved"


def test_a_changed_definition_shows_its_difference_and_is_accepted(client: APIClient, service: Service) -> None:
    pin_tools(service=service, definitions=[definition("find", description="Sends mail."), definition("close")])
    tool = client.get(one(service, "tools")).json()["results"][0]
    assert (tool["state"], tool["diff"]) == ("changed", [{"field": "description", "before": "Does it.", "after": "Sends mail."}])
    accepted = client.post(one(service, "tools/find/approve"))
    assert accepted.status_code == 200
    assert (accepted.json()["state"], accepted.json()["diff"], accepted.json()["description"]) == ("approved", None, "Sends mail.")
    again = client.post(one(service, "tools/find/approve"))
    assert (again.status_code, code(again)) == (409, "already_approved")


def test_only_the_definition_that_was_read_is_approved(client: APIClient, service: Service) -> None:
    approve, tools = one(service, "tools/find/approve"), one(service, "tools")

    def shown(description: str) -> dict[str, Any]:
        pin_tools(service=service, definitions=[definition("find", description=description)])
        row: dict[str, Any] = client.get(tools).json()["results"][0]
        return row

    assert shown("Does it.")["pending_hash"] is None
    read = shown("Reads mail.")["pending_hash"]
    now = shown("Sends mail.")
    assert (now["state"], now["pending_hash"]) == ("changed", definition("find", description="Sends mail.").definition_hash)
    for stale in (read, now["definition_hash"], "no hash"):
        refused = client.post(approve, {"definition_hash": stale})
        assert (refused.status_code, code(refused)) == (409, "definition_changed")
    assert client.get(tools).json()["results"][0] == now
    accepted = client.post(approve, {"definition_hash": now["pending_hash"]})
    assert (accepted.status_code, accepted.json()["state"], accepted.json()["pending_hash"]) == (200, "approved", None)
    again = client.post(approve, {"definition_hash": now["pending_hash"]})
    assert (again.status_code, code(again)) == (409, "already_approved")
    assert [code(client.post(approve, {"definition_hash": bad})) for bad in (None, "x" * 65)] == ["null", "max_length"]


def test_a_new_tool_is_approved_as_it_was_read(client: APIClient, service: Service) -> None:
    for description in ("Reads mail.", "Sends mail."):
        pin_tools(service=service, definitions=[definition("post", description=description)])
    approve = one(service, "tools/post/approve")
    refused = client.post(approve, {"definition_hash": definition("post", description="Reads mail.").definition_hash})
    assert (refused.status_code, code(refused)) == (409, "definition_changed")
    accepted = client.post(approve, {"definition_hash": definition("post", description="Sends mail.").definition_hash})
    assert (accepted.status_code, accepted.json()["state"]) == (200, "approved")


@pytest.mark.parametrize("path", ["test", "tools/find/approve"])
def test_fields_that_would_be_passed_over_are_refused(client: APIClient, service: Service, path: str) -> None:
    refused = client.post(one(service, path), {"policy": "auto"})
    assert (refused.status_code, code(refused)) == (400, "unknown_field")


def test_grants_are_listed_and_revoked(alice: Person, bob: Person) -> None:
    service = service_of(alice, "find", shared=True)
    own = ToolGrant.objects.create(user=bob.user, service=service, tool_name="find", definition_hash="h")
    others = ToolGrant.objects.create(user=alice.user, service=service, tool_name="find", definition_hash="h")
    client = bob.client()
    (row,) = client.get(one(service, "grants")).json()["results"]
    assert (row["id"], row["tool"], row["run"]) == (str(own.id), "find", None)
    assert client.delete(one(service, "grants", str(others.id))).status_code == 404
    assert client.delete(one(service, "grants", str(uuid4()))).status_code == 404
    assert client.delete(one(service, "grants", str(own.id))).status_code == 204
    assert list(ToolGrant.objects.all()) == [others]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_who_only_looks_sees_shared_services_and_changes_none(alice: Person, role: Role) -> None:
    service_of(alice, slug="own")
    shared = service_of(alice, "find", slug="ours", shared=True)
    client = person("looker", alice.organization, role).client()
    assert [row["slug"] for row in client.get(ALL).json()["results"]] == ["ours"]
    refused = [
        client.post(ALL, {"display_name": "x", "url": "http://127.0.0.1:1/"}),
        client.patch(one(shared), {"is_enabled": False}),
        client.delete(one(shared)),
        client.post(one(shared, "test")),
        client.patch(one(shared, "tools/find"), {"policy": "auto"}),
        client.post(one(shared, "tools/find/approve")),
        client.get(one(shared, "grants")),
    ]
    assert [response.status_code for response in refused] == [403] * 7


def test_the_demo_service_is_there_from_the_first_look(client: APIClient, demo_url: str) -> None:
    (row,) = client.get(ALL).json()["results"]
    assert (row["slug"], row["is_demo"], row["shared"], row["status"]) == ("demo", True, True, "connected")
    refused = client.delete(f"{ALL}/{row['id']}")
    assert (refused.status_code, code(refused)) == (409, "built_in")
