"""The sealed field shows a ciphertext at most, and stores nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError

from llmconfig.llm import Secret
from llmconfig.models import UserLLMConfig
from llmconfig.services import create_config
from llmconfig.tenancy.keys import open_for
from llmconfig.tenancy.sealed import Sealed

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

CANARY = "sk-ant-canary-0123456789"


@pytest.fixture
def config(alice: Person) -> UserLLMConfig:
    made = create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret(CANARY))
    return UserLLMConfig.objects.get(pk=made.pk)


def test_reading_the_attribute_does_not_open_it(config: UserLLMConfig) -> None:
    assert isinstance(config.api_key, Sealed)
    assert CANARY not in config.api_key.text
    assert config.api_key.text.startswith("v1.")
    assert repr(config.api_key) == str(config.api_key) == "Sealed(••••)"
    assert config.api_key
    assert not config.credentials
    assert open_for(config, "api_key").reveal() == CANARY


def test_dumpdata_holds_the_ciphertext_and_loads_again(config: UserLLMConfig) -> None:
    dumped = serializers.serialize("json", [config])
    assert CANARY not in dumped
    assert json.loads(dumped)[0]["fields"]["api_key"] == config.api_key.text
    config.delete()
    for loaded in serializers.deserialize("json", dumped):
        loaded.save()
    assert open_for(UserLLMConfig.objects.get(), "api_key").reveal() == CANARY


@pytest.mark.parametrize("value", [CANARY, Secret(CANARY), 7, b"v1.a.b"])
def test_plain_text_is_refused(config: UserLLMConfig, value: object) -> None:
    config.api_key = value
    with pytest.raises(ValidationError) as caught:
        config.save()
    assert CANARY not in str(caught.value)


def test_a_ciphertext_in_another_row_does_not_open(alice: Person, config: UserLLMConfig) -> None:
    other = create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("another-key-0123"))
    UserLLMConfig.objects.filter(pk=other.pk).update(api_key=config.api_key)
    from llmconfig.vault import Unreadable

    with pytest.raises(Unreadable):
        open_for(UserLLMConfig.objects.get(pk=other.pk), "api_key")
