"""Making and changing configs: what is sealed, what a change means for the key, and who may."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from llmconfig import services
from llmconfig.llm import Secret
from llmconfig.models import AuditEvent, ConfigStatus, DataKey, UserLLMConfig
from llmconfig.services import (
    configs_for,
    create_config,
    delete_config,
    deployment_for_run,
    ensure_demo_config,
    open_credentials,
    reveal_for_run,
    update_config,
)
from llmconfig.tenancy.audit import SYSTEM
from llmconfig.tenancy.errors import Conflict, Forbidden, Invalid
from llmconfig.tenancy.models import Role

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
KEY, NEXT_KEY = Secret("sk-ant-first-key-aaaa"), Secret("sk-ant-second-key-bbbb")


def make(alice: Person, **fields: object) -> UserLLMConfig:
    return create_config(caller=alice.caller, **{"provider_type": "anthropic", "api_key": KEY, **fields})


def test_a_new_config(alice: Person) -> None:
    config = make(alice, model="claude-sonnet-4-5", options={"thinking_budget": 2048})
    config.refresh_from_db()
    assert (config.name, config.status, config.api_key_hint, config.secret_version) == ("Anthropic", "untested", "…aaaa", 1)
    assert config.owner == alice.user
    opened = open_credentials(config)
    assert opened.base_url == "https://api.anthropic.com"
    assert opened.api_key == KEY
    assert opened.options == {"thinking_budget": 2048}


@pytest.mark.parametrize(
    ("fields", "code", "attr"),
    [
        ({"provider_type": "nope"}, "unknown_provider", "provider_type"),
        ({"provider_type": "demo"}, "unknown_provider", "provider_type"),
        ({"api_key": Secret("")}, "required", "api_key"),
        ({"api_key": Secret("two words")}, "invalid", "api_key"),
        ({"api_key": Secret("line\nbreak")}, "invalid", "api_key"),
        ({"api_key": Secret("schlüssel")}, "invalid", "api_key"),
        ({"credentials": {"other": Secret("x")}}, "unknown_field", "credentials.other"),
        ({"options": {"api_key": "sk-in-the-wrong-place"}}, "unknown_field", "options.api_key"),
        ({"options": {"thinking_budget": "much"}}, "invalid", "options.thinking_budget"),
        ({"options": {"thinking_budget": True}}, "invalid", "options.thinking_budget"),
        ({"options": {"reasoning_effort": "extreme"}}, "invalid_choice", "options.reasoning_effort"),
        ({"base_url": "ftp://example.com"}, "forbidden_url", "base_url"),
        ({"base_url": "http://127.0.0.1:11434"}, "forbidden_url", "base_url"),
        ({"base_url": "http://169.254.169.254/latest"}, "forbidden_url", "base_url"),
        ({"base_url": "https://user:pass@example.com"}, "forbidden_url", "base_url"),
        ({"provider_type": "openai_compatible"}, "required", "base_url"),
        ({"name": f"My {KEY.reveal()}"}, "holds_key", "name"),
        ({"model": KEY.reveal()}, "holds_key", "model"),
        ({"base_url": f"https://example.com/{KEY.reveal()}/v1"}, "holds_key", "base_url"),
        ({"base_url": "https://example.com/v1?api_key=other"}, "holds_key", "base_url"),
        ({"options": {KEY.reveal(): 1}}, "holds_key", "options"),
        ({"api_key": Secret("a/key+of=signs"), "name": "a%2Fkey%2Bof%3Dsigns"}, "holds_key", "name"),
    ],
)
def test_what_is_refused(alice: Person, fields: dict[str, object], code: str, attr: str) -> None:
    with pytest.raises(Invalid) as caught:
        make(alice, **fields)
    assert (caught.value.code, caught.value.attr) == (code, attr)
    assert not UserLLMConfig.objects.exists()


def test_promise_4_a_new_key_in_another_field_is_refused_too_and_a_short_word_is_none(alice: Person) -> None:
    config = make(alice, api_key=Secret("ollama"), name="ollama", base_url="https://example.com/ollama?api-version=2026-01-01")
    with pytest.raises(Invalid) as caught:
        update_config(caller=alice.caller, id=config.pk, api_key=NEXT_KEY, name=NEXT_KEY.reveal())
    assert (caught.value.code, caught.value.attr) == ("holds_key", "name")
    assert not AuditEvent.objects.filter(object_label__contains="second-key").exists()


def fresh(config: UserLLMConfig) -> UserLLMConfig:
    return UserLLMConfig.objects.get(pk=config.pk)


def test_a_private_host_that_the_operator_listed(alice: Person, settings) -> None:
    settings.PRIVATE_HOSTS = ["127.0.0.1:11434"]
    config = create_config(caller=alice.caller, provider_type="openai_compatible", base_url="http://127.0.0.1:11434/v1")
    assert open_credentials(config).base_url == "http://127.0.0.1:11434/v1"


def test_a_new_key_rotates_and_an_opened_one_stays(alice: Person) -> None:
    config = make(alice)
    UserLLMConfig.objects.update(status=ConfigStatus.VALID)
    in_flight = deployment_for_run(fresh(config), "m")
    rotated = update_config(caller=alice.caller, id=config.pk, api_key=NEXT_KEY)
    assert (rotated.secret_version, rotated.api_key_hint, rotated.status) == (2, "…bbbb", "untested")
    later = deployment_for_run(fresh(config), "m")
    assert reveal_for_run(fresh(config), "m", actor=SYSTEM).credentials.api_key == NEXT_KEY
    assert later.client_key != in_flight.client_key


@pytest.mark.parametrize("fields", [{}, {"api_key": Secret("")}, {"credentials": {}}])
def test_an_empty_change_keeps_the_key(alice: Person, fields: dict[str, object]) -> None:
    config = make(alice)
    UserLLMConfig.objects.update(status=ConfigStatus.VALID)
    before = UserLLMConfig.objects.values().get(pk=config.pk)
    after = update_config(caller=alice.caller, id=config.pk, **fields)
    assert (after.api_key, after.secret_version, after.status) == (before["api_key"], 1, "valid")


def test_another_host_clears_the_key(alice: Person) -> None:
    """security.md, promise 8."""
    config = make(alice)
    moved = update_config(caller=alice.caller, id=config.pk, base_url="https://gateway.example.com")
    assert (moved.status, moved.api_key_hint, bool(moved.api_key)) == ("missing_key", "", False)
    with pytest.raises(Conflict) as caught:
        deployment_for_run(fresh(config), "m")
    assert caught.value.code == "missing_key"
    again = update_config(caller=alice.caller, id=config.pk, api_key=NEXT_KEY)
    assert again.status == "untested"


@pytest.mark.parametrize(
    "base_url", ["http://api.anthropic.com", "https://api.anthropic.com:8443", "https://api.anthropic.com.evil.example"]
)
def test_another_scheme_port_or_suffix_is_another_host(alice: Person, base_url: str) -> None:
    assert update_config(caller=alice.caller, id=make(alice).pk, base_url=base_url).status == "missing_key"


@pytest.mark.parametrize("base_url", ["", "https://api.anthropic.com", "https://API.anthropic.com:443/v1"])
def test_the_same_host_keeps_the_key(alice: Person, base_url: str) -> None:
    config = make(alice)
    assert open_credentials(update_config(caller=alice.caller, id=config.pk, base_url=base_url)).api_key == KEY


def test_an_optional_key_is_missed_once_it_was_there(alice: Person) -> None:
    keyed = make(alice, provider_type="openai_compatible", base_url="https://one.example.com/v1")
    keyless = create_config(caller=alice.caller, provider_type="openai_compatible", base_url="https://one.example.com/v1")
    for config, status in ((keyed, "missing_key"), (keyless, "untested")):
        assert update_config(caller=alice.caller, id=config.pk, base_url="https://two.example.com/v1").status == status


def test_a_new_key_comes_along_to_a_new_host(alice: Person) -> None:
    config = make(alice)
    moved = update_config(caller=alice.caller, id=config.pk, base_url="https://gateway.example.com", api_key=NEXT_KEY)
    assert moved.status == "untested"
    assert open_credentials(moved).api_key == NEXT_KEY


def test_sharing_reseals(alice: Person, bob: Person) -> None:
    config = make(alice)
    sealed_before = config.api_key.text
    shared = update_config(caller=alice.caller, id=config.pk, shared=True)
    assert shared.owner is None
    assert shared.api_key.text != sealed_before
    assert open_credentials(UserLLMConfig.objects.get(pk=config.pk)).api_key == KEY
    assert list(configs_for(bob.caller)) == [config]
    own_again = update_config(caller=alice.caller, id=config.pk, shared=False)
    assert own_again.owner == alice.user
    assert open_credentials(own_again).api_key == KEY
    assert not configs_for(bob.caller).exists()


def test_only_an_admin_or_owner_shares(alice: Person, bob: Person) -> None:
    own = make(bob)
    shared = make(alice, shared=True)
    for attempt in (
        lambda: make(bob, shared=True),
        lambda: update_config(caller=bob.caller, id=own.pk, shared=True),
        lambda: update_config(caller=bob.caller, id=shared.pk, name="mine"),
        lambda: update_config(caller=bob.caller, id=shared.pk, shared=False),
        lambda: delete_config(caller=bob.caller, id=shared.pk),
    ):
        with pytest.raises(Forbidden):
            attempt()
    shared.refresh_from_db()
    assert (shared.owner, shared.name) == (None, "Anthropic")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_viewers_and_auditors_have_no_configs(alice: Person, role: Role) -> None:
    with pytest.raises(Forbidden):
        create_config(caller=dataclasses.replace(alice.caller, role=role), provider_type="anthropic", api_key=KEY)


def test_a_foreign_config_is_not_there(alice: Person, bob: Person, mallory: Person) -> None:
    config = make(alice)
    for other in (bob, mallory):
        assert not configs_for(other.caller).exists()
        with pytest.raises(UserLLMConfig.DoesNotExist):
            update_config(caller=other.caller, id=config.pk, name="stolen")
        with pytest.raises(UserLLMConfig.DoesNotExist):
            delete_config(caller=other.caller, id=config.pk)
        with pytest.raises(UserLLMConfig.DoesNotExist):
            services.test_config(caller=other.caller, id=config.pk)


def test_one_default_for_each_owner(alice: Person) -> None:
    first, second = make(alice, is_default=True), make(alice, is_default=True)
    shared = make(alice, is_default=True, shared=True)
    assert set(UserLLMConfig.objects.filter(is_default=True)) == {second, shared}
    update_config(caller=alice.caller, id=first.pk, is_default=True)
    assert set(UserLLMConfig.objects.filter(is_default=True)) == {first, shared}


def test_the_provider_cannot_change(alice: Person) -> None:
    with pytest.raises(Invalid) as caught:
        update_config(caller=alice.caller, id=make(alice).pk, provider_type="openai")
    assert caught.value.attr == "provider_type"


def test_another_kek_means_unreadable_and_overwrites_nothing(alice: Person, settings) -> None:
    """security.md, promise 7."""
    config = make(alice)
    kept = (config.api_key.text, bytes(DataKey.objects.get().wrapped))
    settings.KEK = "restored-under-another-kek-0123456789"
    result = services.test_config(caller=alice.caller, id=config.pk)
    assert result.error_kind == "unreadable"
    for attempt in (
        lambda: deployment_for_run(fresh(config), "m"),
        lambda: update_config(caller=alice.caller, id=config.pk, api_key=NEXT_KEY),
        lambda: update_config(caller=alice.caller, id=config.pk, shared=True),
        lambda: make(alice),
    ):
        with pytest.raises(Conflict) as caught:
            attempt()
        assert caught.value.code == "unreadable"
    config.refresh_from_db()
    assert config.status == "unreadable"
    assert (config.api_key.text, bytes(DataKey.objects.get().wrapped)) == kept
    settings.KEK = "test-key-encryption-key-0123456789-abcdef"
    assert open_credentials(config).api_key == KEY


def test_a_deployment_says_why_there_is_none(alice: Person) -> None:
    config = make(alice)
    update_config(caller=alice.caller, id=config.pk, is_enabled=False)
    with pytest.raises(Conflict) as caught:
        deployment_for_run(fresh(config), "m")
    assert caught.value.code == "config_disabled"


def test_the_demo_config_is_built_in(alice: Person, bob: Person, mallory: Person, settings) -> None:
    settings.DEMO = True
    [demo] = configs_for(bob.caller)
    assert (demo.name, demo.provider_type, demo.model, demo.status, demo.shared) == ("Demo provider", "demo", "demo-1", "valid", True)
    ensure_demo_config(alice.organization)
    assert [config.pk for config in configs_for(alice.caller)] == [demo.pk]
    assert not configs_for(mallory.caller).filter(pk=demo.pk).exists()
    with pytest.raises(Conflict):
        delete_config(caller=alice.caller, id=demo.pk)
    with pytest.raises(Conflict):
        update_config(caller=alice.caller, id=demo.pk, name="mine")
    assert update_config(caller=alice.caller, id=demo.pk, is_enabled=False).shown_status == "disabled"
    settings.DEMO = False
    assert not configs_for(alice.caller).exists()
