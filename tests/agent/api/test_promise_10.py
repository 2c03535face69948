"""security.md, promise 10: every id in a request body is resolved through the tenant-scoped manager.

Mallory puts ids of Alice's into every body that takes one, and Bob those of Alice's own things.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.base import ContentFile
from drf_spectacular.generators import SchemaGenerator

from agent.models import Conversation, Message, Service
from agent.services import live
from agent.services.attachments import create_attachment
from llmconfig import services
from llmconfig.llm import Secret
from llmconfig.models import CustomModel, UserLLMConfig
from tests.agent.rows import conversation_of, service_of

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
BODIES_WITH_IDS = {
    "ConversationInput.services",
    "ConversationInput.target",
    "MessageInput.parts",
    "MessageInput.target",
    "NewCustomModel.config",
    "PartInput.attachment",
    "RestoreKey.id",
    "Switch.id",
    "Target.model",
    "TestRequest.id",
}
"""Fields of requests that name a row. A new one belongs here, and into a test below."""


@pytest.fixture(autouse=True)
def _valkey_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "require_valkey", lambda: None)


@pytest.fixture(params=["mallory", "bob"])
def intruder(request: pytest.FixtureRequest) -> Person:
    """Of another organization, and of the same but not the owner."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.fixture
def config(alice: Person) -> UserLLMConfig:
    return services.create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("sk-ant-0123456789wxyz"), model="m")


@pytest.fixture
def client(intruder: Person) -> APIClient:
    return intruder.client()


def refused(answer: Any, attr: str) -> None:
    assert answer.status_code == 400, answer.content
    assert attr in [error["attr"] for error in answer.json()["errors"]]


def test_promise_10_target(client: APIClient, intruder: Person, config: UserLLMConfig) -> None:
    target = {"target": {"model": f"{config.pk}/m"}}
    own = conversation_of(intruder)
    refused(client.post("/api/conversations", target), "target.model")
    refused(client.patch(f"/api/conversations/{own.id}", target), "target.model")
    refused(client.post(f"/api/conversations/{own.id}/messages", {"content": "Hello", **target}), "target.model")
    own.refresh_from_db()
    assert own.config is None
    assert not Message.objects.exists()


def test_promise_10_a_target_that_was_stored_is_resolved_again(client: APIClient, intruder: Person, config: UserLLMConfig) -> None:
    """As when a config was shared once, and taken back."""
    own = conversation_of(intruder, config=config, model="m")
    refused(client.post(f"/api/conversations/{own.id}/messages", {"content": "Hello"}), "target.model")
    assert not own.messages.exists()


def test_promise_10_services(client: APIClient, intruder: Person, alice: Person) -> None:
    body, own = {"services": [str(service_of(alice, "find").pk)]}, conversation_of(intruder)
    refused(client.post("/api/conversations", body), "services")
    refused(client.patch(f"/api/conversations/{own.id}", body), "services")
    assert Conversation.objects.get().services is None


def test_promise_10_attachments(client: APIClient, intruder: Person, alice: Person) -> None:
    file = create_attachment(caller=alice.caller, file=ContentFile(PNG, name="x.png"))
    own = conversation_of(intruder)
    body = {"parts": [{"type": "image", "attachment": str(file.id)}]}
    answer = client.post(f"/api/conversations/{own.id}/messages", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"].startswith("parts")
    assert not file.conversations.exists()


def test_promise_10_custom_models(intruder: Person, config: UserLLMConfig) -> None:
    """Whoever may add models at all: an admin of the same organization names somebody's own config, an owner of another any."""
    intruder.user.memberships.filter(role="member").update(role="admin")
    answer = intruder.client().post("/api/models", {"config": str(config.pk), "model": "x"})
    assert answer.status_code in {400, 404}
    assert not CustomModel.objects.exists()


def test_promise_10_a_config_to_test(client: APIClient, config: UserLLMConfig) -> None:
    assert client.post("/api/user/llm-config/test", {"id": str(config.pk)}).status_code == 404
    config.refresh_from_db()
    assert config.last_tested_at is None


def test_promise_10_an_organization_to_switch_to(mallory: Person, alice: Person) -> None:
    from rest_framework.test import APIClient

    session = APIClient()
    session.force_login(mallory.user)
    assert session.post("/api/organization/switch", {"id": str(alice.organization.pk)}).status_code == 404
    assert session.get("/api/organization").json()["slug"] == "mallory"
    assert session.post("/organization/switch/", {"id": str(alice.organization.pk)}).status_code == 404


def test_promise_10_nothing_is_taken_by_a_hidden_field(mallory: Person, alice: Person) -> None:
    """No body may name whose a thing is."""
    client, ids = mallory.client(), {"organization": str(alice.organization.pk), "owner": str(alice.user.pk), "user": str(alice.user.pk)}
    bodies = {
        "/api/user/llm-config": {"provider_type": "anthropic", "api_key": "sk-ant-0123456789wxyz"},
        "/api/user/services": {"display_name": "x", "url": "https://example.com/mcp"},
        "/api/conversations": {},
        "/api/tokens": {"name": "x"},
        "/api/organization/members": {"role": "member"},
    }
    for path, body in bodies.items():
        for name, id in ids.items():
            answer = client.post(path, {**body, name: id})
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "unknown_field"), path
    assert client.patch("/api/organization", {"id": str(alice.organization.pk)}).status_code == 400
    assert not UserLLMConfig.objects.filter(owner=alice.user).exists()
    assert not Service.objects.exists()


def test_promise_10_a_replaced_key_of_another_config_is_not_brought_back(config: UserLLMConfig, alice: Person, intruder: Person) -> None:
    services.update_config(caller=alice.caller, id=config.pk, api_key=Secret("sk-ant-fedcba9876543210"))
    own = services.create_config(caller=intruder.caller, provider_type="anthropic", api_key=Secret("sk-ant-intruder-0123456789"))
    services.update_config(caller=intruder.caller, id=own.pk, api_key=Secret("sk-ant-intruder-9876543210"))
    sealed = UserLLMConfig.objects.get(pk=own.pk).api_key
    body = {"id": str(config.retired_keys.get().pk)}
    assert intruder.client().post(f"/api/user/llm-config/{own.pk}/restore-key", body).status_code in (404, 409)
    assert intruder.client().post(f"/api/user/llm-config/{config.pk}/restore-key", body).status_code == 404
    assert UserLLMConfig.objects.get(pk=own.pk).api_key == sealed


def test_promise_10_every_field_that_names_a_row_is_known_here() -> None:
    """By the OpenAPI document: a UUID in a body, or what holds one, is listed above."""
    document: Any = SchemaGenerator().get_schema(request=None, public=True)
    found = set()
    for name, schema in document["components"]["schemas"].items():
        if not name.endswith("Request") or name.startswith("Patched"):
            continue
        for field, about in schema.get("properties", {}).items():
            item = about.get("items", about)
            if item.get("format") == "uuid" or field in {"target", "parts", "config"} or (name, field) == ("TargetRequest", "model"):
                found.add(f"{name.removesuffix('Request')}.{field}")
    assert found == BODIES_WITH_IDS
