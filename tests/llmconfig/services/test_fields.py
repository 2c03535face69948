"""Options of every type a provider may ask for, ways to sign in, and what a config states of its models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from llmconfig.llm import CredentialField, Secret
from llmconfig.models import ModelList
from llmconfig.providers.azure_openai import AzureOpenAIProvider
from llmconfig.providers.ollama import OllamaProvider
from llmconfig.services import open_credentials, update_config
from llmconfig.services.configs import check_new_config, create_config
from llmconfig.services.facts import facts_of
from llmconfig.services.fields import check_options
from llmconfig.services.schemas import json_schema, provider_row
from llmconfig.tenancy.errors import Invalid

if TYPE_CHECKING:
    from llmconfig.models import UserLLMConfig
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
ENDPOINT = "https://ours.openai.azure.com"
APPLICATION = {"tenant_id": "tenant-1", "client_id": "client-1"}
SECRET = {"client_secret": Secret("client-secret-0123456789")}
MAPPED = {"chat": {"model": "gpt-4o", "context_window": 64_000, "inputs": []}, "think": "o4-mini"}


def azure(person: Person, **fields: Any) -> UserLLMConfig:
    return create_config(caller=person.caller, **{"provider_type": "azure_openai", "base_url": ENDPOINT, **fields})


@pytest.mark.parametrize(
    "deployments",
    [{}, {"a": "gpt-4o"}, {"a": {"model": "gpt-4o", "context_window": 9, "inputs": ["image"], "thinking": True}, "b": "o4-mini"}],
)
def test_a_mapping(alice: Person, deployments: dict[str, Any]) -> None:
    config = azure(alice, api_key=Secret("azure-key-0123456789"), options={"deployments": deployments})
    assert config.options == {"deployments": deployments}


@pytest.mark.parametrize(
    ("deployments", "attr", "says"),
    [
        (["a"], "", "Deployments must be an object."),
        ({"a": 5}, ".a", "a must be a text or an object."),
        ({"": "gpt-4o"}, "", "Deployment must be a text of 1 to 200 characters."),
        ({"a" * 201: "gpt-4o"}, "", "Deployment must be a text of 1 to 200 characters."),
        ({"a": ""}, ".a.model", "a needs this: Model."),
        ({"a": {}}, ".a.model", "a needs this: Model."),
        ({"a": {"model": 5}}, ".a.model", "Model must be a text."),
        ({"a": {"model": "m", "context_window": "9"}}, ".a.context_window", "Context window (tokens) must be a whole number."),
        ({"a": {"model": "m", "context_window": True}}, ".a.context_window", "Context window (tokens) must be a whole number."),
        ({"a": {"model": "m", "thinking": "yes"}}, ".a.thinking", "Reasons must be true or false."),
        ({"a": {"model": "m", "inputs": "image"}}, ".a.inputs", "Takes must be a list."),
        ({"a": {"model": "m", "inputs": [5]}}, ".a.inputs.0", "Takes must be a list of texts."),
        ({"a": {"model": "m", "inputs": ["image", "smell"]}}, ".a.inputs.1", "Takes must be one of image, document, audio."),
        ({"a": {"model": "m", "colour": 1}}, ".a.colour", "Deployments knows no “colour”."),
        ({f"d{number}": "m" for number in range(201)}, "", "Deployments may have 200 entries at most."),
    ],
)
def test_a_mapping_that_is_refused_names_the_place(deployments: object, attr: str, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_options(AzureOpenAIProvider, {"deployments": deployments})
    assert (caught.value.attr, caught.value.detail) == (f"options.deployments{attr}", says)


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ({"max_output_tokens": 0}, "min_value", "Longest answer (tokens) must be at least 1."),
        ({"max_output_tokens": 10**30}, "max_value", "Longest answer (tokens) must be at most 2,147,483,647."),
        ({"temperature": -0.1}, "min_value", "Temperature must be at least 0."),
        ({"temperature": 10**400}, "max_value", "Temperature must be at most 2."),
        ({"top_p": 1.01}, "max_value", "Top p must be at most 1."),
        ({"num_ctx": -1}, "min_value", "Context window (tokens) must be at least 1."),
    ],
)
def test_a_number_that_no_server_takes_is_refused_where_it_is_set(options: dict[str, Any], code: str, says: str) -> None:
    """Otherwise every run of the config fails, and its test does not say so."""
    with pytest.raises(Invalid) as caught:
        check_options(OllamaProvider, options)
    assert (caught.value.attr, caught.value.code, caught.value.detail) == (f"options.{next(iter(options))}", code, says)


def test_the_ends_of_a_range_are_in_it_and_told() -> None:
    check_options(OllamaProvider, {"temperature": 2, "top_p": 0, "max_output_tokens": 1})
    schema = json_schema(OllamaProvider.options)["properties"]
    assert (schema["temperature"]["minimum"], schema["temperature"]["maximum"]) == (0, 2)
    assert schema["max_output_tokens"]["minimum"] == 1
    assert "maximum" not in schema["max_output_tokens"]


def test_the_schema_of_lists_and_mappings() -> None:
    schema = json_schema(AzureOpenAIProvider.fields)["properties"]["deployments"]
    assert (schema["type"], schema["propertyNames"]["title"]) == ("object", "Deployment")
    text, entry = schema["additionalProperties"]["anyOf"]
    assert text["type"] == "string"
    assert entry["required"] == ["model"]
    assert entry["properties"]["inputs"] == {
        "type": "array",
        "items": {"type": "string", "enum": ["image", "document", "audio"]},
        "uniqueItems": True,
        "title": "Takes",
    }
    row = provider_row(AzureOpenAIProvider)["credential_schema"]["properties"]
    assert row["client_secret"]["writeOnly"] is True
    assert (row["api_style"]["enum"], row["api_style"]["default"]) == (["v1", "v1_chat", "classic"], "v1")
    plain = (
        CredentialField("key_file", "Key file", write_only=True, multiline=True),
        CredentialField("names", "Names", type="list"),
        CredentialField("pairs", "Pairs", type="mapping", entries=(CredentialField("x", "X"),)),
    )
    bare = json_schema(plain)["properties"]
    assert (bare["key_file"]["format"], bare["names"]["items"]) == ("multiline", {"type": "string"})
    assert "propertyNames" not in bare["pairs"]


def test_a_key_or_an_application_is_enough(alice: Person) -> None:
    keyed = azure(alice, api_key=Secret("azure-key-0123456789"))
    applied = azure(alice, credentials=SECRET, options=APPLICATION)
    assert (keyed.status, applied.status) == ("untested", "untested")
    assert open_credentials(applied).secrets == SECRET
    assert open_credentials(applied).options["api_style"] == "v1"


@pytest.mark.parametrize(
    ("fields", "attr"),
    [
        ({}, "api_key"),
        ({"options": APPLICATION}, "credentials.client_secret"),
        ({"credentials": SECRET}, "options.tenant_id"),
        ({"credentials": SECRET, "options": {"tenant_id": "t"}}, "options.client_id"),
    ],
)
def test_half_of_an_application_is_refused_at_its_place(alice: Person, fields: dict[str, Any], attr: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_new_config(caller=alice.caller, provider_type="azure_openai", base_url=ENDPOINT, **fields)
    assert (caught.value.attr, caught.value.code) == (attr, "required")


def test_an_application_becomes_a_key_and_back(alice: Person) -> None:
    config = azure(alice, credentials=SECRET, options=APPLICATION)
    with pytest.raises(Invalid) as caught:
        update_config(caller=alice.caller, id=config.pk, options={"tenant_id": "tenant-1"})
    assert caught.value.attr == "options.client_id"
    renamed = update_config(caller=alice.caller, id=config.pk, name="Ours")
    assert renamed.status == "untested"
    keyed = update_config(caller=alice.caller, id=config.pk, api_key=Secret("azure-key-0123456789"), options={})
    assert keyed.status == "untested"
    assert update_config(caller=alice.caller, id=config.pk, options=APPLICATION).status == "untested", "the secret was kept"


def test_another_place_to_sign_in_clears_the_secrets(alice: Person) -> None:
    """security.md, promise 8: a secret never goes to a host for which it was not entered."""
    config = azure(alice, credentials=SECRET, options=APPLICATION)
    same = update_config(caller=alice.caller, id=config.pk, options={**APPLICATION, "authority": "https://login.microsoftonline.com/"})
    assert same.credentials
    moved = update_config(caller=alice.caller, id=config.pk, options={**APPLICATION, "authority": "https://evil.example"})
    assert (moved.status, bool(moved.credentials)) == ("missing_key", False)
    again = update_config(caller=alice.caller, id=config.pk, credentials=SECRET)
    assert again.status == "untested"


def test_what_a_config_states_of_a_model_counts_before_any_list(alice: Person) -> None:
    config = azure(alice, api_key=Secret("azure-key-0123456789"), options={"deployments": MAPPED})
    chat, think, other = (facts_of(config, name, at=timezone.now()) for name in ("chat", "think", "other"))
    assert (chat.underlying, chat.label, chat.context_window, chat.capabilities.inputs) == ("gpt-4o", "gpt-4o", 64_000, frozenset())
    assert (think.underlying, think.context_window, think.capabilities.thinking) == ("o4-mini", 200_000, True)
    assert (other.underlying, other.context_window) == ("other", None)
    entries = [{"id": "chat", "label": "old", "context_window": 1, "max_output_tokens": 5, "capabilities": None}]
    ModelList.objects.create(config=config, organization=config.organization, entries=entries, fetched_at=timezone.now())
    listed = facts_of(config, "chat", at=timezone.now())
    assert (listed.context_window, listed.max_output_tokens) == (64_000, 5)
