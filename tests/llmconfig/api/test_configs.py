"""`/api/user/llm-config` as a client sees it."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.models import UserLLMConfig
from llmconfig.services import open_credentials
from llmconfig.tenancy.models import Role
from tests.llmconfig.people import Person, person

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from tests.fakes.server import FakeVendor

pytestmark = pytest.mark.django_db
URL = "/api/user/llm-config"
CANARY = "sk-ant-canary-0123456789wxyz"
BODY = {"provider_type": "anthropic", "api_key": CANARY, "model": "claude-sonnet-4-5"}
FIELDS = {
    "id", "name", "provider_type", "api_key_hint", "api_key_fingerprint", "has_credentials", "base_url", "model", "options", "is_default",
    "is_enabled", "shared", "priority", "weight", "status", "status_detail", "not_allowed", "last_tested_at", "last_latency_ms",
    "last_used_at", "last_used_by", "uses", "retired_keys", "created_at", "updated_at",
}  # fmt: skip
ALONE = FIELDS | {"same_key_as", "same_key_elsewhere"}


def errors(answer: Any, status: int = 400) -> list[tuple[str, str | None]]:
    assert answer.status_code == status, answer.content
    assert answer.json()["type"] == ("validation_error" if status == 400 and answer.json()["errors"][0]["attr"] else "client_error")
    return [(error["code"], error["attr"]) for error in answer.json()["errors"]]


@pytest.fixture
def api(alice: Person) -> APIClient:
    return alice.client()


def test_post_then_get(api: APIClient) -> None:
    created = api.post(URL, {**BODY, "name": "Mine", "options": {"thinking_budget": 1024}})
    assert created.status_code == 201
    config = created.json()
    assert set(config) == ALONE
    assert config["api_key_hint"] == "…wxyz"
    assert config["base_url"] == "https://api.anthropic.com"
    assert (config["status"], config["shared"], config["is_default"]) == ("untested", False, False)
    assert api.get(f"{URL}/{config['id']}").json() == config
    listed = {name: value for name, value in config.items() if name in FIELDS}
    assert api.get(URL).json() == {"next": None, "previous": None, "results": [listed]}


def test_a_key_comes_back_nowhere(api: APIClient) -> None:
    """security.md, promise 3."""
    config = api.post(URL, BODY).json()
    one = f"{URL}/{config['id']}"
    answers = [
        api.get(URL),
        api.get(one),
        api.options(URL),
        api.options(one),
        api.patch(one, {}),
        api.get("/api/models"),
        api.get("/api/schema/"),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert CANARY not in answer.content.decode()
        assert UserLLMConfig.objects.get().api_key.text not in answer.content.decode()
    assert open_credentials(UserLLMConfig.objects.get()).api_key.reveal() == CANARY


def test_lists_are_newest_first_and_paged(api: APIClient, django_assert_num_queries) -> None:
    names = [f"config {number}" for number in range(5)]
    for name in names:
        api.post(URL, {**BODY, "name": name})
    seen, url = [], f"{URL}?page_size=2"
    while url:
        page = api.get(url).json()
        seen += [config["name"] for config in page["results"]]
        url = page["next"]
    assert seen == names[::-1]
    with django_assert_num_queries(4):  # token with its role, configs, their replaced keys, the data keys that open
        assert len(api.get(URL).json()["results"]) == 5


@pytest.mark.parametrize("cursor", ["nonsense", "cD1ub3QtYS10aW1l", "cD0yMDI2LTEzLTAxKzAwOjAw", "cD0yMDI2LTAxLTAxKzAw"])
def test_a_forged_cursor_is_not_found(api: APIClient, cursor: str) -> None:
    assert api.get(f"{URL}?cursor={cursor}").status_code == 404


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"api_key": CANARY}, [("required", "provider_type")]),
        ({**BODY, "colour": "red", "nmae": "x"}, [("unknown_field", "colour"), ("unknown_field", "nmae")]),
        ({**BODY, "id": str(uuid.uuid4())}, [("unknown_field", "id")]),
        ({**BODY, "status": "valid"}, [("unknown_field", "status")]),
        ({**BODY, "name": "nul\x00"}, [("invalid_text", "name")]),
        ({**BODY, "options": {"a": ["\x00"]}}, [("invalid_text", "options")]),
        ({**BODY, "options": {"\ud800": 1}}, [("invalid_text", "options")]),
        ({**BODY, "options": []}, [("not_a_dict", "options")]),
        ({**BODY, "options": None}, [("null", "options")]),
        ({**BODY, "api_key": 7}, [("invalid", "api_key")]),
        ({**BODY, "api_key": None}, [("null", "api_key")]),
        ({**BODY, "api_key": "k" * 20_001}, [("max_length", "api_key")]),
        ({**BODY, "priority": 2**40}, [("max_value", "priority")]),
        ({**BODY, "name": "n" * 121}, [("max_length", "name")]),
        ({**BODY, "provider_type": "nope"}, [("unknown_provider", "provider_type")]),
        ({**BODY, "base_url": "http://10.0.0.7/v1"}, [("forbidden_url", "base_url")]),
        ({**BODY, "credentials": {"secret": "x"}}, [("unknown_field", "credentials.secret")]),
        ([BODY], [("invalid", "non_field_errors")]),
        ("text", [("invalid", "non_field_errors")]),
        (None, [("null", "non_field_errors")]),
    ],
)
@pytest.mark.parametrize("url", [URL, f"{URL}/test"])
def test_bad_bodies(api: APIClient, url: str, body: Any, expected: list[tuple[str, str]]) -> None:
    if url.endswith("/test") and isinstance(body, dict) and "id" in body:
        return  # there an id is a field
    assert errors(api.post(url, json.dumps(body), content_type="application/json")) == expected
    assert not UserLLMConfig.objects.exists()


@pytest.mark.parametrize("raw", ["", "{", "{'a': 1}", '{"a": NaN}', "[" * 100_000, '{"name": "\xff"}'.encode("latin-1"), b"\x00"])
@pytest.mark.parametrize("url", [URL, f"{URL}/test"])
def test_what_is_no_json(api: APIClient, url: str, raw: str | bytes) -> None:
    answer = api.post(url, raw, content_type="application/json")
    if raw == "":
        assert errors(answer) == [("required", "provider_type")]
    else:
        assert errors(answer) == [("parse_error", None)]


def test_another_content_type_is_415(api: APIClient) -> None:
    assert errors(api.post(URL, "a=1", content_type="application/x-www-form-urlencoded"), 415) == [("unsupported_media_type", None)]


def test_patch(api: APIClient) -> None:
    config = api.post(URL, BODY).json()
    changed = api.patch(f"{URL}/{config['id']}", {"api_key": "sk-ant-second-key-abcd", "name": "Renamed", "is_enabled": False}).json()
    assert (changed["api_key_hint"], changed["name"], changed["status"]) == ("…abcd", "Renamed", "disabled")
    assert errors(api.patch(f"{URL}/{config['id']}", {"owner": "me"})) == [("unknown_field", "owner")]
    moved = api.patch(f"{URL}/{config['id']}", {"base_url": "https://gateway.example.com", "is_enabled": True}).json()
    assert (moved["status"], moved["api_key_hint"]) == ("missing_key", "")
    renamed = api.patch(f"{URL}/{config['id']}", {"name": "Moved"}).json()
    assert moved["status_detail"] == renamed["status_detail"] == "The server changed. Enter the key for the new one."


def test_a_new_key_is_tried_and_the_refused_one_named_at_its_field(api: APIClient, vendor: FakeVendor) -> None:
    url = f"{URL}/{api.post(f'{URL}?validate=true', {**BODY, 'base_url': vendor.base_url, 'model': ''}).json()['id']}"
    refused = api.patch(url, {"api_key": "sk-ant-wrong-0123456789"})
    assert errors(refused) == [("authentication_failed", "api_key")]
    assert "…wxyz) stays in use" in refused.json()["errors"][0]["detail"]
    assert api.get(url).json()["api_key_hint"] == "…wxyz"
    saved = api.patch(f"{url}?validate=false", {"api_key": "sk-ant-wrong-0123456789"}).json()
    assert (saved["status"], saved["api_key_hint"]) == ("untested", "…6789")
    assert [(key["hint"], key["reason"]) for key in saved["retired_keys"]] == [("…wxyz", "rotated")]
    assert errors(api.patch(f"{url}?validate=true", {"api_key": "sk-ant-wrong-other-0123"})) == [("authentication_failed", "api_key")]
    assert errors(api.patch(f"{url}?validate=ture", {"api_key": "sk-ant-wrong-other-0123"})) == [("invalid", "validate")]
    assert api.get(url).json()["api_key_hint"] == "…6789"


def test_restore_and_shred(api: APIClient, bob: Person, mallory: Person) -> None:
    url = f"{URL}/{api.post(URL, {**BODY, 'shared': True}).json()['id']}"
    api.patch(url, {"api_key": "sk-ant-second-key-abcd"})
    assert errors(bob.client().post(f"{url}/restore-key", {}), 403) == [("permission_denied", None)]
    assert errors(bob.client().delete(f"{url}/retired-keys"), 403) == [("permission_denied", None)]
    assert errors(mallory.client().post(f"{url}/restore-key", {}), 404) == [("not_found", None)]
    assert errors(mallory.client().delete(f"{url}/retired-keys"), 404) == [("not_found", None)]
    assert errors(api.post(f"{url}/restore-key", {"id": str(uuid.uuid4())}), 409) == [("no_retired_key", None)]
    assert errors(api.post(f"{url}/restore-key", {"key": "x"})) == [("unknown_field", "key")]
    kept = api.get(url).json()["retired_keys"][0]["id"]
    restored = api.post(f"{url}/restore-key", {"id": kept}).json()
    assert (restored["api_key_hint"], [key["hint"] for key in restored["retired_keys"]]) == ("…wxyz", ["…abcd"])
    assert api.delete(f"{url}/retired-keys").status_code == 204
    assert api.get(url).json()["retired_keys"] == []


def test_promise_7_a_key_that_no_kek_opens_says_so_before_any_test(api: APIClient, settings: Any) -> None:
    url = f"{URL}/{api.post(URL, BODY).json()['id']}"
    keyless = api.post(URL, {"provider_type": "openai_compatible", "base_url": "https://one.example.com/v1"}).json()
    settings.KEK = "restored-under-another-kek-0123456789"
    for shown in (api.get(url).json(), api.get(URL).json()["results"][1]):
        assert (shown["status"], "another KEK" in shown["status_detail"]) == ("unreadable", True)
    assert api.get(f"{URL}/{keyless['id']}").json()["status"] == "untested"
    assert UserLLMConfig.objects.filter(status="unreadable").count() == 0


def test_who_used_a_shared_config_last_is_told_to_admins(api: APIClient, bob: Person, alice: Person) -> None:
    shared, own = (api.post(URL, {**BODY, "shared": shared}).json()["id"] for shared in (True, False))
    UserLLMConfig.objects.update(last_used_by=bob.user, uses=7)
    assert [api.get(f"{URL}/{id}").json()["last_used_by"] for id in (shared, own)] == ["bob", None]
    seen = bob.client().get(f"{URL}/{shared}").json()
    assert (seen["last_used_by"], seen["uses"]) == (None, 7)


def test_delete(api: APIClient) -> None:
    url = f"{URL}/{api.post(URL, BODY).json()['id']}"
    assert api.delete(url).status_code == 204
    assert errors(api.delete(url), 404) == [("not_found", None)]


def test_foreign_ids_are_not_found(api: APIClient, bob: Person, mallory: Person) -> None:
    id = api.post(URL, BODY).json()["id"]
    for other in (bob.client(), mallory.client()):
        for method, url, body in (
            ("get", f"{URL}/{id}", None),
            ("patch", f"{URL}/{id}", {"name": "x"}),
            ("delete", f"{URL}/{id}", None),
            ("post", f"{URL}/test", {"id": id}),
        ):
            assert errors(getattr(other, method)(url, body), 404) == [("not_found", None)]
        assert other.get(URL).json()["results"] == []
    assert UserLLMConfig.objects.get().name == "Anthropic"


def test_what_is_shared_is_seen_and_kept(api: APIClient, bob: Person) -> None:
    id = api.post(URL, {**BODY, "shared": True}).json()["id"]
    member = bob.client()
    assert member.get(f"{URL}/{id}").json()["shared"] is True
    assert errors(member.patch(f"{URL}/{id}", {"name": "x"}), 403) == [("permission_denied", None)]
    assert errors(member.delete(f"{URL}/{id}"), 403) == [("permission_denied", None)]
    assert errors(member.post(URL, {**BODY, "shared": True}), 403) == [("permission_denied", None)]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_viewers_and_auditors_see_and_touch_nothing(api: APIClient, alice: Person, role: Role) -> None:
    id = api.post(URL, {**BODY, "shared": True}).json()["id"]
    reader = person("carol", alice.organization, role).client()
    assert reader.get(f"{URL}/{id}").status_code == 200
    for answer in (
        reader.post(URL, BODY),
        reader.patch(f"{URL}/{id}", {}),
        reader.delete(f"{URL}/{id}"),
        reader.post(f"{URL}/test", {"id": id}),
    ):
        assert errors(answer, 403) == [("permission_denied", None)]


def test_an_admin_may_share(alice: Person) -> None:
    assert person("carol", alice.organization, Role.ADMIN).client().post(URL, {**BODY, "shared": True}).status_code == 201


def test_scopes_of_a_token(alice: Person) -> None:
    for scope in ("read", "run"):
        client = alice.client([scope])
        assert client.get(URL).status_code == 200
        assert errors(client.post(URL, BODY), 403) == [("permission_denied", None)]


def test_test_a_saved_config(api: APIClient, vendor: FakeVendor) -> None:
    config = api.post(URL, {**BODY, "base_url": vendor.base_url, "model": ""}).json()
    result = api.post(f"{URL}/test", {"id": config["id"]}).json()
    assert set(result) == {"ok", "latency_ms", "models", "error"}
    assert (result["ok"], result["error"]) == (True, None)
    assert [model["id"] for model in result["models"]] == vendor.models
    assert api.get(f"{URL}/{config['id']}").json()["status"] == "valid"
    assert [row["model"] for row in api.get("/api/models").json()["results"]] == vendor.models


def test_test_an_unsaved_config(api: APIClient, vendor: FakeVendor) -> None:
    answer = api.post(f"{URL}/test", {"provider_type": "anthropic", "api_key": "sk-ant-wrong-0123", "base_url": vendor.base_url})
    assert answer.status_code == 200
    assert answer.json()["ok"] is False
    assert answer.json()["models"] == []
    assert answer.json()["error"]["kind"] == "authentication_failed"
    assert answer.json()["error"]["detail"].startswith("Anthropic refused this key (401)")
    assert not UserLLMConfig.objects.exists()


def test_a_saved_config_is_tested_as_it_stands(api: APIClient) -> None:
    """A stored key must not be sent to an address from the request."""
    id = api.post(URL, BODY).json()["id"]
    answer = api.post(f"{URL}/test", {"id": id, "base_url": "https://evil.example.com"})
    assert errors(answer) == [("invalid", "base_url")]


def test_validate_saves_only_what_works(api: APIClient, vendor: FakeVendor) -> None:
    body = {"provider_type": "anthropic", "base_url": vendor.base_url}
    refused = api.post(f"{URL}?validate=true", {**body, "api_key": "sk-ant-wrong-0123"})
    assert errors(refused) == [("authentication_failed", "non_field_errors")]
    assert not UserLLMConfig.objects.exists()
    saved = api.post(f"{URL}?validate=true", {**body, "api_key": "sk-ant-right-0123"})
    assert (saved.status_code, saved.json()["status"]) == (201, "valid")
    assert api.get("/api/models").json()["results"]


def test_anonymous_is_401(client: Any, db: None) -> None:
    for answer in (client.get(URL), client.post(URL, "{", content_type="application/json"), client.get(f"{URL}/{uuid.uuid4()}")):
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Bearer"
        assert answer.json()["errors"][0]["code"] == "not_authenticated"
