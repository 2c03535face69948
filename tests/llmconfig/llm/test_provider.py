"""Facts about providers, as values."""

from __future__ import annotations

import pytest

from llmconfig.llm import Capabilities, Credentials, Provider, Secret


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
