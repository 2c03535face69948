"""`/api/providers` and `/api/models`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
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
    assert row["price"] == {"input_per_mtok": "0", "output_per_mtok": "0", "currency": "USD"}
    assert client.post("/api/user/llm-config/test", {"id": row["config"]}).json()["ok"] is True
    assert client.delete(f"/api/user/llm-config/{row['config']}").status_code == 409
