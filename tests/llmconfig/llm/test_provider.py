"""Facts about providers, as values."""

from __future__ import annotations

import pytest

from llmconfig.llm import Capabilities, CredentialField, Credentials, Provider, Secret


def test_capabilities_as_json() -> None:
    assert Capabilities(thinking=True, inputs=frozenset({"image", "document"})).as_dict() == {
        "tools": True,
        "parallel_tools": True,
        "thinking": True,
        "structured_output": False,
        "inputs": ["text", "document", "image"],
    }


def test_the_api_key_is_one_of_the_secrets_or_empty() -> None:
    assert Credentials("u", {"api_key": Secret("k")}).api_key == Secret("k")
    assert not Credentials("u").api_key


def test_a_provider_must_offer_the_whole_interface() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Provider()
    assert Provider.__abstractmethods__ == {"preload", "stream", "list_models", "check", "aclose"}


class Keyed(Provider):
    label = "Keyed"
    fields = (CredentialField("api_key", "Key", required=True, write_only=True), CredentialField("region", "Region", required=True))


@pytest.mark.parametrize(("secrets", "problem"), [((), ("api_key", "Keyed needs this.")), (("api_key",), None)])
def test_a_required_secret_is_missed(secrets: tuple[str, ...], problem: tuple[str, str] | None) -> None:
    assert Keyed.credentials_problem(secrets, {}) == problem
