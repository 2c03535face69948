"""From keys in the environment to configs."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from llmconfig.models import UserLLMConfig
from llmconfig.services import import_env_keys, models_for, open_credentials
from tests.fakes.ollama import FakeOllama

if TYPE_CHECKING:
    from tests.fakes.server import FakeVendor
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
CANARY = "sk-ant-canary-0123456789wxyz"


def test_each_key_becomes_a_config(alice: Person) -> None:
    made = import_env_keys(
        user=alice.user, variables={"ANTHROPIC_API_KEY": f" {CANARY}\n", "OPENAI_API_KEY": "sk-openai-0123456789", "OTHER": "x"}
    )
    assert [(config.provider_type, config.api_key_hint, config.owner) for config in (each.config for each in made)] == [
        ("anthropic", "…wxyz", alice.user),
        ("openai", "…6789", alice.user),
    ]
    assert open_credentials(made[0].config).api_key.reveal() == CANARY


def test_a_base_url_comes_along(alice: Person) -> None:
    [imported] = import_env_keys(
        user=alice.user, variables={"OPENAI_API_KEY": "sk-0123456789ab", "OPENAI_BASE_URL": "https://eu.example.com/v1/"}
    )
    assert imported.config.base_url == "https://eu.example.com/v1"


def test_a_second_time_imports_nothing(alice: Person) -> None:
    variables = {"ANTHROPIC_API_KEY": CANARY}
    import_env_keys(user=alice.user, variables=variables)
    assert import_env_keys(user=alice.user, variables=variables) == []
    assert import_env_keys(user=alice.user, variables={}) == []


def test_the_command_tests_what_it_makes(alice: Person, vendor: FakeVendor, settings) -> None:
    settings.PROVIDER_KEYS = lambda: {"ANTHROPIC_API_KEY": CANARY, "ANTHROPIC_BASE_URL": vendor.base_url}
    out = StringIO()
    call_command("import_env_keys", "--user", "alice", stdout=out)
    call_command("import_env_keys", "--user", "alice", stdout=out)
    assert out.getvalue() == "Testing the keys of Anthropic…\nAnthropic: works, 2 models\nNothing to import.\n"
    assert UserLLMConfig.objects.get().status == "valid"
    assert [row["model"] for row in models_for(alice.caller)] == vendor.models
    with pytest.raises(CommandError):
        call_command("import_env_keys", "--user", "nobody")


def test_a_key_that_fails_its_test_is_saved_and_stops_no_other(alice: Person, vendor: FakeVendor, settings) -> None:
    settings.PRIVATE_HOSTS = [vendor.host, "127.0.0.1:1"]
    settings.PROVIDER_KEYS = lambda: {
        "ANTHROPIC_API_KEY": "sk-ant-wrong-0123456789",
        "ANTHROPIC_BASE_URL": vendor.base_url,
        "OPENAI_API_KEY": "sk-openai-0123456789",
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
    }
    out = StringIO()
    call_command("import_env_keys", "--user", "alice", stdout=out)
    _, anthropic, openai = out.getvalue().splitlines()
    assert anthropic.startswith("Anthropic: saved, but: Anthropic refused this key (401)")
    assert openai.startswith("OpenAI: saved, but: ")
    assert sorted(UserLLMConfig.objects.values_list("provider_type", "status")) == [("anthropic", "invalid"), ("openai", "untested")]


def test_what_is_refused_is_told_and_stops_no_other(
    alice: Person, vendor: FakeVendor, settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.PROVIDER_KEYS = lambda: {
        "ANTHROPIC_API_KEY": CANARY,
        "ANTHROPIC_BASE_URL": vendor.base_url,
        "OPENAI_API_KEY": "two words",
    }
    call_command("import_env_keys", "--user", "alice")
    assert UserLLMConfig.objects.get().provider_type == "anthropic"
    told = capsys.readouterr()
    assert "OpenAI: not imported. An API key is one line" in told.err
    assert "two words" not in told.err


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("[::]:11434", "http://127.0.0.1:11434"),
        (":11434", "http://127.0.0.1:11434"),
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434"),
        ("https://gpu.example.com/ollama/", "https://gpu.example.com:443/ollama"),
    ],
)
def test_an_ollama_host(alice: Person, settings, host: str, url: str) -> None:
    settings.PRIVATE_HOSTS = ["127.0.0.1:11434"]
    [imported] = import_env_keys(user=alice.user, variables={"OLLAMA_HOST": host})
    assert (imported.label, imported.config.provider_type, imported.config.base_url) == ("Ollama", "ollama", url)
    assert imported.config.name == "Ollama (from the environment)"


def test_an_ollama_host_is_tested_like_any_other(alice: Person, settings) -> None:
    with FakeOllama() as fake:
        settings.PRIVATE_HOSTS = [fake.host]
        settings.PROVIDER_KEYS = lambda: {"OLLAMA_HOST": fake.host}
        out = StringIO()
        call_command("import_env_keys", "--user", "alice", stdout=out)
        assert out.getvalue() == "Testing the keys of Ollama…\nOllama: works, 2 models\n"
        first = models_for(alice.caller)[0]
    assert (first["provider"], first["model"], first["label"]) == ("ollama", "qwen3:8b", "qwen3:8b (8.2B, Q4_K_M)")
    assert (first["context_window"], first["price"]) == (16_384, None)
    assert (first["capabilities"]["thinking"], first["capabilities"]["inputs"]) == (True, ["text"])


@pytest.mark.parametrize("host", ["http://ollama.internal:no-port", "http://[fd00::7"])
def test_an_ollama_host_that_is_no_address_stops_no_other(alice: Person, host: str) -> None:
    anthropic, ollama = import_env_keys(user=alice.user, variables={"ANTHROPIC_API_KEY": CANARY, "OLLAMA_HOST": host})
    assert anthropic.config is not None
    assert (ollama.config, "URL" in ollama.problem) == (None, True)


def test_an_ollama_host_that_the_operator_has_not_listed(alice: Person) -> None:
    [imported] = import_env_keys(user=alice.user, variables={"OLLAMA_HOST": "127.0.0.1"})
    assert "ROUTEKIT_PRIVATE_HOSTS" in imported.problem
    assert not UserLLMConfig.objects.exists()


AZURE = {"AZURE_OPENAI_API_KEY": "azure-key-0123456789", "AZURE_OPENAI_ENDPOINT": "https://ours.openai.azure.com/"}


@pytest.mark.parametrize(
    ("more", "model", "options"),
    [
        ({}, "", {}),
        ({"AZURE_OPENAI_API_VERSION": "2024-10-21"}, "", {"api_version": "2024-10-21", "api_style": "classic"}),
        ({"AZURE_OPENAI_API_VERSION": "preview", "AZURE_OPENAI_DEPLOYMENT_NAME": "chat"}, "chat", {}),
        ({"AZURE_OPENAI_DEPLOYMENT": "chat", "AZURE_OPENAI_DEPLOYMENT_NAME": "other"}, "chat", {}),
    ],
)
def test_an_azure_resource(alice: Person, more: dict[str, str], model: str, options: dict[str, str]) -> None:
    [imported] = import_env_keys(user=alice.user, variables={**AZURE, **more})
    config = imported.config
    assert config is not None, imported.problem
    assert (config.provider_type, config.base_url) == ("azure_openai", "https://ours.openai.azure.com")
    assert (config.model, config.options) == (model, options)


def test_an_azure_key_without_its_endpoint_is_told(alice: Person) -> None:
    [imported] = import_env_keys(user=alice.user, variables={"AZURE_OPENAI_API_KEY": "azure-key-0123456789"})
    assert (imported.config, imported.problem) == (None, "Azure OpenAI needs a base URL.")
