"""The admin: every screen opens, and none shows a key, a digest or a ciphertext."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from llmconfig import services
from llmconfig.llm import Secret
from llmconfig.models import ApiToken, AuditEvent, User, UserLLMConfig
from llmconfig.tenancy.accounts import create_user_with_organization
from llmconfig.tenancy.keys import data_key_for
from llmconfig.tenancy.models import Role

if TYPE_CHECKING:
    from django.test import Client

    from tests.fakes.server import FakeVendor
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
CANARY, NEXT_CANARY = "sk-ant-canary-0123456789wxyz", "sk-ant-second-0123456789abcd"
PASSWORD = "correct horse battery"
CONFIGS = "/admin/llmconfig/userllmconfig/"
PAGES = [f"/admin/llmconfig/{model}/" for model in ("userllmconfig", "organization", "membership", "user", "apitoken", "custommodel")]


@pytest.fixture
def config(alice: Person) -> UserLLMConfig:
    return services.create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret(CANARY))


@pytest.fixture
def operator(client: Client, db: None) -> Client:
    client.force_login(create_user_with_organization(username="root", is_superuser=True))
    return client


def form(config: UserLLMConfig, **changed: object) -> dict[str, object]:
    fields = {
        "name": config.name,
        "base_url": "",
        "model": "",
        "options": "{}",
        "is_enabled": "on",
        "priority": 0,
        "weight": 1,
        "new_key": "",
    }
    return fields | changed


def secrets_of(config: UserLLMConfig) -> list[str]:
    token = ApiToken.objects.get()
    return [CANARY, config.api_key.text, token.digest, token.token_key, data_key_for(config.organization_id).material.hex()]


def test_no_screen_shows_a_secret(operator: Client, alice: Person, config: UserLLMConfig) -> None:
    alice.client()
    ids = [config.pk, alice.organization.pk, alice.user.memberships.get().pk, alice.user.pk, ApiToken.objects.get().pk]
    ids.append(services.create_custom_model(caller=alice.caller, config=config.pk, model="m").pk)
    urls = ["/admin/", *PAGES, *(f"{page}{id}/change/" for page, id in zip(PAGES, ids, strict=True)), f"{CONFIGS}{config.pk}/history/"]
    for url in urls:
        answer = operator.get(url)
        assert answer.status_code == 200, url
        assert not [secret for secret in secrets_of(config) if secret in answer.content.decode()], url
    assert "…wxyz" in operator.get(CONFIGS).content.decode()


def test_a_new_key_goes_in_and_is_not_seen_again(operator: Client, config: UserLLMConfig) -> None:
    answer = operator.post(f"{CONFIGS}{config.pk}/change/", form(config, new_key=NEXT_CANARY), follow=True)
    assert NEXT_CANARY not in answer.content.decode()
    config.refresh_from_db()
    assert (config.api_key_hint, config.secret_version, config.status) == ("…abcd", 2, "untested")
    assert services.open_credentials(config).api_key.reveal() == NEXT_CANARY
    assert NEXT_CANARY not in operator.get(f"{CONFIGS}{config.pk}/history/").content.decode()


def test_an_empty_key_keeps_the_present_one(operator: Client, config: UserLLMConfig) -> None:
    operator.post(f"{CONFIGS}{config.pk}/change/", form(config, name="Renamed"))
    config.refresh_from_db()
    assert (config.name, config.secret_version) == ("Renamed", 1)
    assert services.open_credentials(config).api_key.reveal() == CANARY


def test_another_host_clears_the_key_here_too(operator: Client, config: UserLLMConfig) -> None:
    operator.post(f"{CONFIGS}{config.pk}/change/", form(config, base_url="https://gateway.example.com"))
    config.refresh_from_db()
    assert (config.status, bool(config.api_key)) == ("missing_key", False)


@pytest.mark.parametrize("changed", [{"base_url": "http://10.0.0.7"}, {"options": '{"nope": 1}'}, {"new_key": "two words"}])
def test_the_same_refusals_as_everywhere(operator: Client, config: UserLLMConfig, changed: dict[str, object]) -> None:
    answer = operator.post(f"{CONFIGS}{config.pk}/change/", form(config, **changed))
    assert answer.status_code == 200
    assert "errornote" in answer.content.decode()
    config.refresh_from_db()
    assert (config.base_url, config.options, config.secret_version) == ("", {}, 1)


def test_under_another_kek_nothing_is_overwritten(operator: Client, config: UserLLMConfig, settings) -> None:
    settings.KEK = "restored-under-another-kek-0123456789"
    answer = operator.post(f"{CONFIGS}{config.pk}/change/", form(config, new_key=NEXT_CANARY))
    assert "KEK" in answer.content.decode()
    assert UserLLMConfig.objects.get().api_key == config.api_key


def test_a_key_that_its_provider_refuses_is_an_error_of_the_form(operator: Client, config: UserLLMConfig, vendor: FakeVendor) -> None:
    UserLLMConfig.objects.update(status="valid", base_url=vendor.base_url)
    wrong = "sk-ant-wrong-0123456789nope"
    url, fields = f"{CONFIGS}{config.pk}/change/", form(config, base_url=vendor.base_url, new_key=wrong)
    answer = operator.post(url, fields).content.decode()
    assert "The new key was not saved" in answer
    assert wrong not in answer
    assert services.open_credentials(UserLLMConfig.objects.get()).api_key.reveal() == CANARY
    assert operator.post(url, fields | {"unchecked": "on"}).status_code == 302
    assert services.open_credentials(UserLLMConfig.objects.get()).api_key.reveal() == wrong


def test_what_is_done_here_is_in_the_audit_trail(operator: Client, config: UserLLMConfig) -> None:
    operator.post(f"{CONFIGS}{config.pk}/change/", form(config, name="Renamed", new_key=NEXT_CANARY))
    for action in ("disable", "enable"):
        operator.post(CONFIGS, {"action": action, "_selected_action": [str(config.pk)]})
    operator.post(CONFIGS, {"action": "delete_selected", "_selected_action": [str(config.pk)], "post": "yes"})
    events = AuditEvent.objects.filter(actor="root", chain=config.organization_id).exclude(action__startswith="admin.")
    seen = events.order_by("seq").values_list("action", flat=True)
    assert list(seen) == ["config.changed", "config.rotated", "config.disabled", "config.enabled", "config.deleted"]
    assert not UserLLMConfig.objects.exists()


def test_the_demo_config_is_not_deleted_here(operator: Client, alice: Person, settings) -> None:
    settings.DEMO = True
    services.ensure_demo_config(alice.organization)
    demo = UserLLMConfig.objects.get()
    answer = operator.post(f"{CONFIGS}{demo.pk}/delete/", {"post": "yes"}, follow=True)
    assert "The demo provider is built in" in answer.content.decode()
    assert UserLLMConfig.objects.exists()


def test_enable_and_disable(operator: Client, config: UserLLMConfig) -> None:
    for action, enabled in (("disable", False), ("enable", True)):
        operator.post(CONFIGS, {"action": action, "_selected_action": [str(config.pk)]})
        config.refresh_from_db()
        assert config.is_enabled is enabled


def test_a_user_is_added_with_a_password_and_an_organization(operator: Client) -> None:
    fields = {"username": "carol", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    answer = operator.post("/admin/llmconfig/user/add/", fields)
    carol = User.objects.get(username="carol")
    assert answer["Location"] == f"/admin/llmconfig/user/{carol.pk}/change/"
    assert carol.check_password(PASSWORD)
    assert [(each.organization.name, each.role) for each in carol.memberships.all()] == [("carol", Role.OWNER)]


def test_an_admin_sets_a_new_password(operator: Client, alice: Person) -> None:
    fields = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    operator.post(f"/admin/llmconfig/user/{alice.user.pk}/password/", fields)
    alice.user.refresh_from_db()
    assert alice.user.check_password(PASSWORD)


def test_configs_and_tokens_are_not_made_here(operator: Client) -> None:
    for page in (CONFIGS, "/admin/llmconfig/apitoken/"):
        assert operator.get(f"{page}add/").status_code == 403


def test_lists_take_a_fixed_number_of_queries(
    operator: Client, alice: Person, config: UserLLMConfig, django_assert_max_num_queries
) -> None:
    for number in range(5):
        services.create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret(CANARY), name=f"config {number}")
    for page in PAGES:
        with django_assert_max_num_queries(8):
            operator.get(page)


APPLICATION = {"tenant_id": "tenant-1", "client_id": "client-1"}


@pytest.fixture
def applied(alice: Person) -> UserLLMConfig:
    return services.create_config(
        caller=alice.caller,
        provider_type="azure_openai",
        base_url="https://ours.openai.azure.com",
        credentials={"client_secret": Secret(CANARY)},
        options=APPLICATION,
    )


def test_the_other_secrets_of_a_provider_have_inputs_too(operator: Client, applied: UserLLMConfig) -> None:
    url = f"{CONFIGS}{applied.pk}/change/"
    shown = operator.get(url).content.decode()
    assert 'name="new_client_secret"' in shown
    assert CANARY not in shown
    same = {"base_url": applied.base_url, "options": json.dumps(APPLICATION)}
    answer = operator.post(url, form(applied, **same, new_client_secret=NEXT_CANARY), follow=True)
    assert NEXT_CANARY not in answer.content.decode()
    applied.refresh_from_db()
    assert (applied.secret_version, applied.status) == (2, "untested")
    assert services.open_credentials(applied).secrets["client_secret"].reveal() == NEXT_CANARY


@pytest.mark.parametrize("options", [{}, {"tenant_id": "tenant-1"}, {**APPLICATION, "deployments": {"a": 5}}])
def test_half_of_an_application_is_refused(operator: Client, applied: UserLLMConfig, options: dict[str, object]) -> None:
    changed = {"base_url": applied.base_url, "options": json.dumps(options)}
    assert "errornote" in operator.post(f"{CONFIGS}{applied.pk}/change/", form(applied, **changed)).content.decode()
    applied.refresh_from_db()
    assert applied.options == APPLICATION


def test_a_config_of_a_provider_that_is_gone_still_opens(operator: Client, config: UserLLMConfig) -> None:
    UserLLMConfig.objects.update(provider_type="gone")
    assert operator.get(f"{CONFIGS}{config.pk}/change/").status_code == 200


def test_a_price_that_is_half_is_refused_in_words(operator: Client, alice: Person, config: UserLLMConfig) -> None:
    row = services.create_custom_model(caller=alice.caller, config=config.pk, model="m")
    page = f"/admin/llmconfig/custommodel/{row.pk}/change/"
    answer = operator.post(page, {"input_per_mtok": "1", "currency": "USD"})
    assert "A price names both input and output." in answer.content.decode()
    assert operator.post(page, {"input_per_mtok": "1", "output_per_mtok": "2", "currency": "USD"}).status_code == 302
    row.refresh_from_db()
    assert (row.input_per_mtok, row.output_per_mtok) == (1, 2)


@pytest.mark.parametrize("name", ["context_window", "max_output_tokens"])
def test_no_model_reads_or_answers_nothing(operator: Client, alice: Person, config: UserLLMConfig, name: str) -> None:
    row = services.create_custom_model(caller=alice.caller, config=config.pk, model="m")
    answer = operator.post(f"/admin/llmconfig/custommodel/{row.pk}/change/", {name: "0", "currency": "USD"})
    assert "Ensure this value is greater than or equal to 1." in answer.content.decode()


def test_an_input_keeps_the_capitals_of_its_label(operator: Client, alice: Person) -> None:
    options = {"location": "global"}
    config = services.create_config(caller=alice.caller, provider_type="gemini", api_key=Secret("gemini-key-0123456789"), options=options)
    assert "New service account (JSON key):" in operator.get(f"{CONFIGS}{config.pk}/change/").content.decode()
