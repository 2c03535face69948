"""`/api/providers` and `/api/models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from jsonschema import Draft202012Validator

from llmconfig import services
from llmconfig.llm import Secret
from llmconfig.models import UserLLMConfig
from llmconfig.tenancy.models import Role
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from tests.fakes.server import FakeVendor
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db


def test_providers(alice: Person) -> None:
    page = alice.client().get("/api/providers").json()
    assert set(page) == {"next", "previous", "results"}
    rows = {row["slug"]: row for row in page["results"]}
    assert {"anthropic", "openai", "openai_compatible"} <= rows.keys()
    assert "demo" not in rows
    anthropic = rows["anthropic"]
    assert set(anthropic) == {"slug", "label", "kind", "is_demo", "default_base_url", "credential_schema", "options_schema", "capabilities"}
    assert anthropic["credential_schema"]["properties"]["api_key"]["writeOnly"] is True
    assert anthropic["credential_schema"]["required"] == ["api_key"]
    assert anthropic["capabilities"]["tools"] is True
    for row in rows.values():
        Draft202012Validator.check_schema(row["credential_schema"])
        Draft202012Validator.check_schema(row["options_schema"])


def test_the_demo_is_listed_and_usable_where_it_is_on(alice: Person, settings) -> None:
    settings.DEMO = True
    client = alice.client()
    assert client.get("/api/providers").json()["results"][-1]["is_demo"] is True
    [row] = client.get("/api/models").json()["results"]
    assert (row["provider"], row["model"]) == ("demo", "demo-1")
    assert row["id"] == f"{row['config']}/demo-1"
    assert (row["price"]["input_per_mtok"], row["price"]["output_per_mtok"], row["price"]["currency"]) == ("0", "0", "USD")
    assert (row["price"]["source"], row["custom"], row["hint"]) == ("list", None, None)
    assert client.post("/api/user/llm-config/test", {"id": row["config"]}).json()["ok"] is True
    assert client.delete(f"/api/user/llm-config/{row['config']}").status_code == 409


def body(config: UserLLMConfig, **changes: Any) -> dict[str, Any]:
    return {"config": str(config.pk), "model": "ft-of-ours", "price": {"input_per_mtok": "1.50", "output_per_mtok": "6"}} | changes


@pytest.fixture
def config(alice: Person) -> UserLLMConfig:
    key = Secret("sk-ant-first-key-aaaa")
    return services.create_config(caller=alice.caller, provider_type="anthropic", api_key=key, shared=True)


def test_a_custom_model_is_made_read_changed_and_deleted(alice: Person, config: UserLLMConfig) -> None:
    client = alice.client()
    answer = client.post("/api/models", body(config, capabilities={"tools": False}, context_window=8000))
    assert answer.status_code == 201
    made = answer.json()
    assert made["target"] == f"{config.pk}/ft-of-ours"
    assert made["price"]["input_per_mtok"] == "1.5"
    [row] = client.get("/api/models").json()["results"]
    assert (row["id"], row["custom"], row["context_window"]) == (made["target"], made["id"], 8000)
    path = f"/api/models/{made['id']}"
    assert client.get(path).json() == made
    changed = client.patch(path, {"price": None, "label": "Ours"}).json()
    assert (changed["price"], changed["label"], changed["context_window"]) == (None, "Ours", 8000)
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.get("/api/models").json()["results"] == []


def test_the_same_idempotency_key_makes_one(alice: Person, config: UserLLMConfig) -> None:
    client = alice.client()
    first, second = (client.post("/api/models", body(config), headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert client.post("/api/models", body(config)).status_code == 409


@pytest.mark.parametrize(
    ("changes", "attr"),
    [
        ({"colour": "red"}, "colour"),
        ({"price": {"input_per_mtok": "-0.01", "output_per_mtok": "1"}}, "price.input_per_mtok"),
        ({"price": {"input_per_mtok": "NaN", "output_per_mtok": "1"}}, "price.input_per_mtok"),
        ({"price": {"input_per_mtok": "1"}}, "price.output_per_mtok"),
        ({"price": {"input_per_mtok": "1", "output_per_mtok": "1", "tax": "1"}}, "price.tax"),
        ({"price": {"input_per_mtok": "1", "output_per_mtok": "1", "currency": "dollars"}}, "price.currency"),
        ({"capabilities": {"telepathy": True}}, "capabilities.telepathy"),
        ({"capabilities": {"inputs": ["smell"]}}, "capabilities.inputs.0"),
        ({"context_window": 0}, "context_window"),
        ({"model": ""}, "model"),
        ({"config": "6d1f5e0a-0000-4000-8000-000000000000"}, "config"),
    ],
)
def test_what_is_refused_says_where(alice: Person, config: UserLLMConfig, changes: dict[str, Any], attr: str) -> None:
    answer = alice.client().post("/api/models", body(config) | changes)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == attr


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.AUDITOR])
def test_who_may_see_and_who_may_change(alice: Person, config: UserLLMConfig, role: Role) -> None:
    made = alice.client().post("/api/models", body(config)).json()
    client = person("bob", alice.organization, role).client()
    path = f"/api/models/{made['id']}"
    assert client.get(path).status_code == 200
    assert [row["custom"] for row in client.get("/api/models").json()["results"]] == [made["id"]]
    for answer in (client.post("/api/models", body(config, model="x")), client.patch(path, {"label": "x"}), client.delete(path)):
        assert answer.status_code == 403


def test_a_foreign_row_is_not_found(alice: Person, mallory: Person, config: UserLLMConfig) -> None:
    made = alice.client().post("/api/models", body(config)).json()
    client, path = mallory.client(), f"/api/models/{made['id']}"
    assert [client.get(path).status_code, client.patch(path, {}).status_code, client.delete(path).status_code] == [404] * 3
    assert client.post("/api/models", body(config)).status_code == 400
    assert client.post(f"/api/user/llm-config/{config.pk}/models/refresh").status_code == 404
    assert alice.client(["read"]).post("/api/models", body(config, model="x")).status_code == 403


def test_a_refresh_says_what_is_listed_and_when(alice: Person, vendor: FakeVendor) -> None:
    key = Secret("sk-ant-right-key-0123")
    made = services.create_config(caller=alice.caller, provider_type="anthropic", api_key=key, base_url=vendor.base_url)
    client, path = alice.client(), f"/api/user/llm-config/{made.pk}/models/refresh"
    told = client.post(path).json()
    assert (told["ok"], told["models"], told["error"]) == (True, len(vendor.models), None)
    assert {row["fetched_at"] for row in client.get("/api/models").json()["results"]} == {told["fetched_at"]}
    assert client.post(path, {"force": True}).status_code == 400


def test_queries_do_not_grow_with_configs(alice: Person, settings) -> None:
    settings.MODELS_REFRESH_S = 0
    client, key, counts = alice.client(), Secret("sk-ant-first-key-aaaa"), []
    client.get("/api/models")  # the token's first use is noted
    for size in (1, 6):
        while UserLLMConfig.objects.count() < size:
            made = services.create_config(caller=alice.caller, provider_type="anthropic", api_key=key, model="m")
            services.create_custom_model(caller=alice.caller, config=made.pk, model="x")
        with CaptureQueriesContext(connection) as queries:
            assert len(client.get("/api/models").json()["results"]) == 2 * size
        counts.append(len(queries))
    assert counts[0] == counts[1]
