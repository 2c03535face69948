"""An organization's policy: at save, at test, in the lists of models and at use, and for what was saved before it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig import services
from llmconfig.llm import Secret
from llmconfig.models import CustomModel, UserLLMConfig
from llmconfig.services.policy import is_host_allowed, is_model_allowed
from llmconfig.tenancy.caller import caller_for
from llmconfig.tenancy.errors import Conflict, Forbidden, Invalid
from llmconfig.tenancy.models import Organization, Role
from tests.llmconfig.people import Person, person

if TYPE_CHECKING:
    from tests.fakes.server import FakeVendor

pytestmark = pytest.mark.django_db
CONFIGS, MODELS = "/api/user/llm-config", "/api/models"
KEY = "sk-ant-0123456789wxyz"
BODY = {"provider_type": "anthropic", "api_key": KEY, "model": "claude-sonnet-4-5"}


def allow(someone: Person, **policy: Any) -> None:
    Organization.objects.filter(pk=someone.organization.pk).update(**policy)


def now(someone: Person) -> Any:
    return caller_for(someone.user)


def config_of(someone: Person, **fields: Any) -> UserLLMConfig:
    return services.create_config(caller=someone.caller, **{"provider_type": "anthropic", "api_key": Secret(KEY), "model": "m", **fields})


def refused(answer: Any, status: int = 400) -> tuple[str | None, str]:
    assert answer.status_code == status, answer.content
    error = answer.json()["errors"][0]
    assert error["code"] == "policy_forbidden"
    assert "admin" in error["detail"]
    return error["attr"], error["detail"]


def test_a_provider_that_is_not_allowed_is_refused_at_save_and_at_test(alice: Person) -> None:
    allow(alice, allowed_providers=["openai", "gemini"])
    attr, words = refused(alice.client().post(CONFIGS, BODY))
    assert (attr, "OpenAI, Google Gemini" in words) == ("provider_type", True)
    assert refused(alice.client().post(f"{CONFIGS}/test", BODY))[0] == "provider_type"
    assert refused(alice.client().post(f"{CONFIGS}?validate=true", BODY))[0] == "provider_type"
    assert not UserLLMConfig.objects.exists()


def test_an_empty_list_allows_nothing(alice: Person) -> None:
    allow(alice, allowed_providers=[])
    assert "It allows none." in refused(alice.client().post(CONFIGS, BODY))[1]


@pytest.mark.parametrize(
    ("patterns", "url", "allowed"),
    [
        (None, "https://anything.example", True),
        ([], "https://api.example.com", False),
        (["api.example.com"], "https://API.example.com./v1", True),
        (["api.example.com"], "https://api.example.com:8443", True),
        (["api.example.com:443"], "https://api.example.com/v1", True),
        (["api.example.com:443"], "https://api.example.com:8443", False),
        (["api.example.com:80"], "http://api.example.com", True),
        (["*.example.com"], "https://a.b.example.com", True),
        (["*.example.com"], "https://example.com", False),
        (["*.example.com"], "https://evilexample.com", False),
        (["example.com"], "https://example.com.evil.test", False),
        (["example.com"], "https://example.com@evil.test", False),
        (["[::1]:8080"], "http://[::1]:8080", True),
        (["[::1]"], "http://[::2]", False),
        ([], "demo:", True),
    ],
)
def test_hosts(patterns: list[str] | None, url: str, allowed: bool) -> None:
    assert is_host_allowed(patterns, url) is allowed


def test_a_host_is_that_of_the_base_url_or_of_the_vendor(alice: Person) -> None:
    allow(alice, allowed_hosts=["gateway.example.com"])
    client = alice.client()
    attr, words = refused(client.post(CONFIGS, BODY))
    assert (attr, "api.anthropic.com" in words) == ("base_url", True)
    made = client.post(CONFIGS, BODY | {"base_url": "https://gateway.example.com/anthropic"})
    assert made.status_code == 201
    assert (
        refused(client.patch(f"{CONFIGS}/{made.json()['id']}", {"base_url": "https://other.example.com", "api_key": KEY}))[0] == "base_url"
    )


def test_a_url_among_the_options_is_a_host_too(alice: Person) -> None:
    allow(alice, allowed_hosts=["ours.openai.azure.com"])
    body = {"provider_type": "azure_openai", "api_key": KEY, "base_url": "https://ours.openai.azure.com"}
    client = alice.client()
    assert client.post(CONFIGS, body).status_code == 201
    assert "login.example.org" in refused(client.post(CONFIGS, body | {"options": {"authority": "https://login.example.org"}}))[1]


def test_a_service_account_of_google_goes_to_vertex_ai(alice: Person) -> None:
    allow(alice, allowed_hosts=["generativelanguage.googleapis.com", "europe-west4-aiplatform.googleapis.com"])
    client, account = alice.client(), {"service_account": "{}"}
    body = {"provider_type": "gemini", "credentials": account}
    assert client.post(CONFIGS, {"provider_type": "gemini", "api_key": KEY}).status_code == 201
    assert client.post(CONFIGS, body | {"options": {"location": "europe-west4"}}).status_code == 201
    assert "us-east1-aiplatform" in refused(client.post(CONFIGS, body | {"options": {"location": "us-east1"}}))[1]


def test_models_are_hidden_refused_and_not_the_default(alice: Person) -> None:
    config = config_of(alice, model="claude-opus-4")
    CustomModel.objects.create(organization=alice.organization, config=config, model="claude-haiku-4")
    allow(alice, allowed_models=["anthropic/claude-haiku-*"])
    client = alice.client()
    assert [row["model"] for row in client.get(MODELS).json()["results"]] == ["claude-haiku-4"]
    with pytest.raises(Invalid, match="claude-opus-4") as told:
        services.resolve_target(now(alice), f"{config.pk}/claude-opus-4")
    assert (told.value.code, told.value.attr) == ("policy_forbidden", "target.model")
    assert services.resolve_target(now(alice), f"{config.pk}/claude-haiku-4")[1] == "claude-haiku-4"
    assert services.default_target(now(alice)) is None  # the config names the forbidden one
    UserLLMConfig.objects.update(model="")
    target = services.default_target(now(alice))
    assert target is not None
    assert target[1] == "claude-haiku-4"
    assert refused(client.post(CONFIGS, BODY))[0] == "model"


@pytest.mark.parametrize(
    ("pattern", "model", "allowed"),
    [
        ("openai/*", "gpt\nx", True),
        ("openai/a*a", "a", False),
        ("openai/a*a", "aa", True),
        ("openai/*b*c", "abcbc", True),
        ("openai/*bc*bd*", "bcd", False),
        ("openai/**", "", True),
        ("*", "gpt", True),
        ("open*i/*pt*-mini", "gpt-4-mini", True),
        ("openai/" + "a*" * 100 + "b", "a" * 250, False),
        ("openai/" + "a*" * 100 + "b", "a" * 249 + "b", True),
    ],
)
def test_stars_stand_for_any_text_in_little_time(alice: Person, pattern: str, model: str, allowed: bool) -> None:
    """As a regular expression, the ninth would take longer than anyone waits."""
    alice.organization.allowed_models = [pattern]
    assert is_model_allowed(alice.organization, "openai", model) is allowed


def test_patterns_mean_the_whole_name_and_the_provider(alice: Person) -> None:
    config = config_of(alice)
    for patterns, model in (
        (["anthropic/claude"], "claude-x"),
        (["openai/*"], "claude"),
        (["anthropic/c.*"], "claude"),
        (["*/gpt*"], "claude"),
    ):
        allow(alice, allowed_models=patterns)
        with pytest.raises(Invalid):
            services.resolve_target(now(alice), f"{config.pk}/{model}")
    allow(alice, allowed_models=["*/cl*de"])
    assert services.resolve_target(now(alice), f"{config.pk}/claude")


def test_what_was_saved_before_is_kept_marked_and_not_used(alice: Person) -> None:
    config = config_of(alice)
    client = alice.client()
    allow(alice, allowed_providers=["openai"])
    shown = client.get(f"{CONFIGS}/{config.pk}").json()
    assert "does not allow Anthropic" in shown["not_allowed"]
    assert client.get(CONFIGS).json()["results"][0]["not_allowed"] == shown["not_allowed"]
    assert client.get(MODELS).json()["results"] == []
    config.refresh_from_db()
    with pytest.raises(Conflict) as told:
        services.deployment_for_run(config, "m")
    assert told.value.code == "policy_forbidden"
    allow(alice, allowed_providers=None)
    assert client.get(f"{CONFIGS}/{config.pk}").json()["not_allowed"] is None
    assert services.deployment_for_run(UserLLMConfig.objects.get(), "m").model == "m"


def test_a_forbidden_config_asks_nobody(alice: Person, vendor: FakeVendor) -> None:
    config = config_of(alice, base_url=vendor.base_url)
    allow(alice, allowed_hosts=["api.anthropic.com"])
    answer = alice.client().post(f"{CONFIGS}/test", {"id": str(config.pk)}).json()
    assert (answer["ok"], answer["error"]["kind"]) == (False, "policy_forbidden")
    refreshed = alice.client().post(f"{CONFIGS}/{config.pk}/models/refresh").json()
    assert refreshed["error"]["kind"] == "policy_forbidden"
    assert vendor.requests == []
    config.refresh_from_db()
    assert (config.status, config.last_tested_at) == ("untested", None)


def test_a_forbidden_config_can_be_renamed_paused_and_deleted_but_gets_no_new_key(alice: Person) -> None:
    config = config_of(alice)
    one, client = f"{CONFIGS}/{config.pk}", alice.client()
    allow(alice, allowed_providers=[])
    same = {"name": "Old", "base_url": "", "model": "m", "options": {}, "is_enabled": False}
    assert client.patch(one, same).status_code == 200
    refused(client.patch(one, {"is_enabled": True}))
    refused(client.patch(one, {"api_key": "sk-ant-another-0123456789"}))
    refused(client.patch(one, {"model": "another"}))
    assert client.delete(one).status_code == 204


def test_members_without_keys_of_their_own(alice: Person, bob: Person) -> None:
    before = config_of(bob, name="Bob's")
    shared = config_of(alice, name="Ours", shared=True)
    own = config_of(alice, name="Alice's")
    allow(alice, members_may_bring_keys=False)
    assert refused(bob.client().post(CONFIGS, BODY), 403)[0] is None
    refused(bob.client().post(f"{CONFIGS}/test", BODY), 403)
    refused(bob.client().patch(f"{CONFIGS}/{before.pk}", {"api_key": "sk-ant-another-0123456789"}), 403)
    rows = {row["name"]: row["not_allowed"] for row in bob.client().get(CONFIGS).json()["results"]}
    assert "keys of their own" in rows["Bob's"]
    assert rows["Ours"] is None
    assert {row["config"] for row in bob.client().get(MODELS).json()["results"]} == {str(shared.pk)}
    for config, error in ((before, Conflict), (own, None), (shared, None)):
        row = UserLLMConfig.objects.get(pk=config.pk)
        if error:
            with pytest.raises(error, match="keys of their own"):
                services.deployment_for_run(row, "m")
        else:
            services.deployment_for_run(row, "m")
    assert alice.client().post(CONFIGS, BODY).status_code == 201
    bob.user.memberships.update(role=Role.ADMIN)
    assert bob.client().get(f"{CONFIGS}/{before.pk}").json()["not_allowed"] is None
    bob.user.memberships.all().delete()
    with pytest.raises(Conflict):
        services.deployment_for_run(UserLLMConfig.objects.get(pk=before.pk), "m")


def test_an_admin_shares_although_members_bring_nothing(alice: Person, bob: Person) -> None:
    allow(alice, members_may_bring_keys=False)
    assert alice.client().post(CONFIGS, BODY | {"shared": True}).status_code == 201
    with pytest.raises(Forbidden):
        services.create_config(caller=now(bob), provider_type="anthropic", api_key=Secret(KEY))


def test_the_policy_costs_no_query(alice: Person, django_assert_num_queries: Any) -> None:
    config_of(alice)
    client = alice.client()
    client.get(CONFIGS)  # notes the token's use
    with django_assert_num_queries(4):  # token with its role, list, replaced keys, data keys
        client.get(CONFIGS)
    allow(alice, allowed_providers=["anthropic"], allowed_models=["*/*"], allowed_hosts=["*.anthropic.com"], members_may_bring_keys=False)
    with django_assert_num_queries(4):
        client.get(CONFIGS)


def test_another_organization_has_its_own_policy(alice: Person, mallory: Person) -> None:
    allow(alice, allowed_providers=[])
    assert person("carol").client().post(CONFIGS, BODY).status_code == 201
    assert mallory.client().post(CONFIGS, BODY).status_code == 201
