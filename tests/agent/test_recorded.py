"""Every route that changes something tells of it in the audit trail, in its own transaction; those that do not are listed with a reason.

A new route fails here until it is in one of the two tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import DatabaseError, transaction
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from agent.loop.intents import WaitForPerson
from agent.models import ServiceTool, ToolCall, ToolGrant
from agent.services import listing
from agent.services.claims import sweep
from agent.services.conversations import create_conversation
from agent.services.journal import commit_intent
from agent.services.listing import Listing, block_tool, pin_tools
from llmconfig.llm import Secret
from llmconfig.services import create_config, create_custom_model, create_token, invite_member, update_config
from llmconfig.tenancy.audit import AuditEvent
from llmconfig.tenancy.models import Role
from tests.agent.rows import answered, claimed, decision, definition, queued_run, service_of, tool_call
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
SELF = "api/user/services/<id:id>"


@dataclass(frozen=True)
class Way:
    """How a route's change comes about: the path to ask, with what body, and the actions recorded for it."""

    path: str
    actions: tuple[str, ...]
    body: Any = None
    method: str = "POST"


def service(alice: Person, *, policy: str = "ask", **fields: Any) -> Any:
    return service_of(alice, "find", policy=policy, **fields)


def waiting_call(alice: Person, status: str = "waiting") -> ToolCall:
    run = queued_run(alice)
    claim = claimed(run)
    call = tool_call("crm__find", id="secret-argument")
    answered(claim, run, calls=(decision(call, service(alice), "waiting"),))
    commit_intent(claim, WaitForPerson("tool"), seq=9)
    ToolCall.objects.filter(id=call.id).update(status=status)
    return ToolCall.objects.get(id=call.id)


def custom_model(alice: Person) -> Any:
    config = create_config(caller=alice.caller, provider_type="openai", name="OpenAI", api_key=Secret("sk-0123456789abcdef"))
    price: Any = {"input_per_mtok": "1.50", "output_per_mtok": "2", "currency": "EUR"}
    return create_custom_model(caller=alice.caller, config=config.id, model="ft:mine", price=price)


def config(alice: Person, *, rotated: bool = False, moved: bool = False) -> Any:
    """moved: to another server, so that it has no key and nobody is asked about it."""
    made = create_config(caller=alice.caller, provider_type="openai", name="OpenAI", api_key=Secret("sk-0123456789abcdef"))
    if moved:
        return update_config(caller=alice.caller, id=made.id, base_url="https://other.example/v1")
    return update_config(caller=alice.caller, id=made.id, api_key=Secret("sk-fedcba9876543210")) if rotated else made


def colleague(alice: Person) -> UUID:
    return person("bob", alice.organization).user.memberships.get().pk


def invitation(alice: Person) -> UUID:
    return invite_member(caller=alice.caller, role=Role.VIEWER)[0].pk


def new_model(alice: Person) -> Way:
    config = create_config(caller=alice.caller, provider_type="openai", name="OpenAI", api_key=Secret("sk-0123456789abcdef"))
    return Way("/api/models", ("model.created",), {"config": str(config.id), "model": "ft:mine"})


def changed_tool(alice: Person) -> Way:
    made = service(alice)
    pin_tools(service=made, definitions=[definition("find", description="Other.")])
    return Way(f"/api/user/services/{made.id}/tools/find/approve", ("tool.approved",), {})


def grant(alice: Person) -> Way:
    made = service(alice)
    row = ToolGrant.objects.create(user=alice.user, service=made, tool_name="find", definition_hash="h")
    return Way(f"/api/user/services/{made.id}/grants/{row.id}", ("grant.revoked",), method="DELETE")


def approval(alice: Person) -> Way:
    call = waiting_call(alice)
    return Way(f"/api/tool-calls/{call.id}/approve", ("tool_call.approved", "grant.created"), {"remember": "always"})


NEW_SERVICE = {"display_name": "Docs", "url": "https://docs.example/mcp", "auth_type": "bearer", "token": "canary-token"}
RECORDED: dict[tuple[str, str], Callable[[Person], Way]] = {
    ("POST", "api/models"): new_model,
    ("PATCH", "api/models/<id:id>"): lambda alice: Way(
        f"/api/models/{custom_model(alice).id}", ("model.changed",), {"price": None, "label": "Mine"}, "PATCH"
    ),
    ("DELETE", "api/models/<id:id>"): lambda alice: Way(f"/api/models/{custom_model(alice).id}", ("model.deleted",), method="DELETE"),
    ("POST", "api/audit/verify"): lambda alice: Way("/api/audit/verify", ("audit.verified",)),
    ("DELETE", "api/conversations/<id:id>"): lambda alice: Way(
        f"/api/conversations/{create_conversation(caller=alice.caller, title='canary-title').id}",
        ("conversation.deleted",),
        method="DELETE",
    ),
    ("POST", "api/tool-calls/<id:id>/approve"): approval,
    ("POST", "api/tool-calls/<id:id>/deny"): lambda alice: Way(f"/api/tool-calls/{waiting_call(alice).id}/deny", ("tool_call.denied",), {}),
    ("POST", "api/tool-calls/<id:id>/resolve"): lambda alice: Way(
        f"/api/tool-calls/{waiting_call(alice, 'unknown').id}/resolve", ("tool_call.resolved",), {"outcome": "skip"}
    ),
    ("POST", "api/user/services"): lambda alice: Way("/api/user/services", ("service.created",), NEW_SERVICE),
    ("PATCH", SELF): lambda alice: Way(
        f"/api/user/services/{service(alice).id}",
        ("service.changed", "service.shared"),
        {"shared": True, "is_enabled": False, "token": "canary-token", "url": "https://other.example/mcp?key=canary-key"},
        "PATCH",
    ),
    ("DELETE", SELF): lambda alice: Way(f"/api/user/services/{service(alice).id}", ("service.deleted",), method="DELETE"),
    ("POST", f"{SELF}/test"): lambda alice: Way(f"/api/user/services/{service(alice).id}/test", ("service.tested",)),
    ("PATCH", f"{SELF}/tools/<path:name>"): lambda alice: Way(
        f"/api/user/services/{service(alice).id}/tools/find", ("tool.policy_changed", "tool.classified"), {"policy": "auto"}, "PATCH"
    ),
    ("POST", f"{SELF}/tools/<path:name>/approve"): changed_tool,
    ("DELETE", f"{SELF}/grants/<id:grant>"): grant,
}
CONFIG = "api/user/llm-config/<id:id>"
RECORDED |= {
    ("POST", "api/user/llm-config"): lambda alice: Way(
        "/api/user/llm-config", ("config.created",), {"provider_type": "openai", "api_key": "sk-canary-0123456789"}
    ),
    ("PATCH", CONFIG): lambda alice: Way(
        f"/api/user/llm-config/{config(alice).id}", ("config.rotated",), {"api_key": "sk-canary-0123456789"}, "PATCH"
    ),
    ("DELETE", CONFIG): lambda alice: Way(f"/api/user/llm-config/{config(alice).id}", ("config.deleted",), method="DELETE"),
    ("POST", f"{CONFIG}/restore-key"): lambda alice: Way(
        f"/api/user/llm-config/{config(alice, rotated=True).id}/restore-key", ("config.restored",)
    ),
    ("DELETE", f"{CONFIG}/retired-keys"): lambda alice: Way(
        f"/api/user/llm-config/{config(alice, rotated=True).id}/retired-keys", ("config.shredded",), method="DELETE"
    ),
    ("POST", "api/user/llm-config/test"): lambda alice: Way(
        "/api/user/llm-config/test", ("config.tested",), {"id": str(config(alice, moved=True).id)}
    ),
    ("POST", "api/tokens"): lambda alice: Way("/api/tokens", ("token.created",), {"name": "ci"}),
    ("DELETE", "api/tokens/<id:id>"): lambda alice: Way(
        f"/api/tokens/{create_token(caller=alice.caller, name='old')[0].id}", ("token.revoked",), method="DELETE"
    ),
    ("PATCH", "api/organization"): lambda alice: Way("/api/organization", ("policy.changed",), {"members_may_bring_keys": False}, "PATCH"),
    ("POST", "api/organization/rotate-keys"): lambda alice: Way("/api/organization/rotate-keys", ("keys.rotated",)),
    ("POST", "api/organization/members"): lambda alice: Way("/api/organization/members", ("member.invited",), {"role": "viewer"}),
    ("PATCH", "api/organization/members/<id:id>"): lambda alice: Way(
        f"/api/organization/members/{colleague(alice)}", ("member.role_changed",), {"role": "viewer"}, "PATCH"
    ),
    ("DELETE", "api/organization/members/<id:id>"): lambda alice: Way(
        f"/api/organization/members/{colleague(alice)}", ("member.removed",), method="DELETE"
    ),
    ("DELETE", "api/organization/invitations/<id:id>"): lambda alice: Way(
        f"/api/organization/invitations/{invitation(alice)}", ("invitation.revoked",), method="DELETE"
    ),
    ("POST", "api/organization/invitations/<id:id>/renew"): lambda alice: Way(
        f"/api/organization/invitations/{invitation(alice)}/renew", ("member.invited",)
    ),
}
OWN = "a person's own work, which the trail does not follow: its runs, steps and costs are rows of their own"
NOT_RECORDED = {
    ("POST", "api/attachments"): OWN,
    ("DELETE", "api/attachments/<id:id>"): OWN,
    ("POST", "api/conversations"): OWN,
    ("PATCH", "api/conversations/<id:id>"): OWN,
    ("POST", "api/conversations/<id:id>/messages"): OWN,
    ("POST", "api/runs/<id:id>/cancel"): OWN,
    ("POST", "api/user/llm-config/<id:id>/models/refresh"): "reads a provider's list again",
    ("POST", "api/organization/switch"): "a session's choice of what it looks at",
    ("POST", "api/organizations"): "by a session alone: tests/llmconfig/api/test_organization.py",
    ("DELETE", "api/organization"): "its events go to two chains: tests/llmconfig/api/test_organization.py",
}


def routes(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, str]]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern) and path.startswith("api/") and hasattr(pattern.callback, "cls"):
            yield from ((method, path) for method in UNSAFE if hasattr(pattern.callback.cls, method.lower()))


def test_promise_34_every_route_that_changes_something_is_known_here() -> None:
    assert RECORDED.keys().isdisjoint(NOT_RECORDED)
    assert set(routes()) == RECORDED.keys() | NOT_RECORDED.keys()


@pytest.fixture(autouse=True)
def _world(monkeypatch: pytest.MonkeyPatch, valkey: str) -> None:
    """A service that answers nothing, an egress that allows it, and no broker."""
    from agent.services import connections, doorbell

    monkeypatch.setattr(listing, "ask_tools", lambda service, **_: Listing(timezone.now(), 1))
    monkeypatch.setattr("agent.api.services.ask_tools", lambda service, **_: Listing(timezone.now(), 1))
    monkeypatch.setattr(connections, "check_url", lambda url, policy: None)
    monkeypatch.setattr(doorbell, "_send", lambda run_id: None)


def ask(client: Any, way: Way) -> Any:
    return client.generic(way.method, way.path, *(() if way.body is None else _json(way.body)))


def _json(body: Any) -> tuple[str, str]:
    import json

    return json.dumps(body), "application/json"


@pytest.mark.parametrize("route", RECORDED, ids=" ".join)
def test_promise_34_what_a_route_changes_is_recorded(alice: Person, route: tuple[str, str]) -> None:
    way = RECORDED[route](alice)
    client, before = alice.client(), AuditEvent.objects.count()
    answer = ask(client, way)
    assert answer.status_code < 300, answer.content
    events = list(AuditEvent.objects.order_by("seq"))[before:]
    assert tuple(event.action for event in events) == way.actions
    for event in events:
        assert (event.chain, event.actor, event.token) == (alice.organization.pk, "alice", "test")
        assert event.object_type
        assert "canary" not in str(event.content())
        assert "secret-argument" not in str(event.content())


def everything() -> dict[str, list[Any]]:
    passing = {"AuditEvent", "AuditHead", "AuditKey", "ApiToken", "DataKey", "Session"}
    models = [model for model in apps.get_models() if model.__name__ not in passing]
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in models}


@pytest.mark.parametrize("route", RECORDED, ids=" ".join)
def test_promise_34_what_cannot_be_recorded_is_not_done(alice: Person, route: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    way = RECORDED[route](alice)
    client, before = alice.client(), everything()

    def fails(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(AuditEvent, "save", fails)
    client.raise_request_exception = False
    assert ask(client, way).status_code >= 500
    transaction.set_rollback(False)  # the test's own transaction goes on, to see what was left
    assert everything() == before


def test_promise_34_a_changed_definition_is_recorded_when_it_blocks(alice: Person) -> None:
    made = service(alice)
    other = definition("find", description="Sends mail.")
    pin_tools(service=made, definitions=[other])
    pin_tools(service=made, definitions=[other])  # is not told again
    block_tool(service_id=made.id, definition=other)
    event = AuditEvent.objects.get(action="tool.blocked")
    assert (event.actor, event.object_label) == ("system", "crm__find")
    assert event.details == {
        "reason": "definition_changed",
        "approved": definition("find").definition_hash,
        "offered": other.definition_hash,
    }


def test_a_run_that_meets_a_changed_definition_records_it(alice: Person) -> None:
    made = service(alice)
    block_tool(service_id=made.id, definition=definition("find", description="Sends mail."))
    assert AuditEvent.objects.get(action="tool.blocked").object_id == f"{made.id}/find"


def test_a_service_that_changes_everything_is_told_in_few_events(alice: Person) -> None:
    names = [f"tool{number}" for number in range(60)]
    made = service_of(alice, *names)
    pin_tools(service=made, definitions=[definition(name, description="Other.") for name in names])
    told = AuditEvent.objects.filter(action="tool.blocked")
    assert told.count() == 51
    assert told.order_by("-seq")[0].details["and_more"] == 10


def test_promise_34_a_question_that_nobody_answered_is_recorded(alice: Person) -> None:
    call = waiting_call(alice)
    ToolCall.objects.update(expires_at=timezone.now())
    sweep()
    sweep()
    event = AuditEvent.objects.get(action="tool_call.expired")
    assert (event.actor, event.object_id) == ("system", str(call.id))
    assert event.details["definition"] == ServiceTool.objects.get().definition_hash
    assert event.details["arguments"] == call.arguments_hash


def test_a_change_of_nothing_is_no_event(alice: Person) -> None:
    made = service(alice)
    before = AuditEvent.objects.count()
    assert alice.client().patch(f"/api/user/services/{made.id}", {"display_name": made.display_name}).status_code == 200
    assert alice.client().patch(f"/api/user/services/{made.id}/tools/find", {"policy": "ask"}).status_code == 200
    assert AuditEvent.objects.count() == before


def test_prices_are_told_as_they_were_and_are(alice: Person) -> None:
    row = custom_model(alice)
    created = AuditEvent.objects.get(action="model.created")
    assert created.details["price"]["input_per_mtok"] == "1.5"
    alice.client().patch(f"/api/models/{row.id}", {"price": {"input_per_mtok": "3", "output_per_mtok": "4"}})
    before, after = AuditEvent.objects.get(action="model.changed").details["price"]
    assert (before["currency"], after["currency"]) == ("EUR", "USD")


def test_an_id_of_nobody_records_nothing(alice: Person) -> None:
    before = AuditEvent.objects.count()
    assert alice.client().delete(f"/api/user/services/{uuid4()}").status_code == 404
    assert AuditEvent.objects.count() == before
