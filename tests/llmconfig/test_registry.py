"""Finding providers, without loading what they stand on."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from llmconfig import providers, registry
from llmconfig.registry import UnknownProvider, all_providers, provider_class
from llmconfig.services.fields import check_base_url
from llmconfig.services.schemas import provider_row

if TYPE_CHECKING:
    from pathlib import Path

    from llmconfig.llm import Provider

ACME = """
from llmconfig.providers.chat import ChatProvider
from llmconfig.providers.form_fields import address_field, key_field


class AcmeProvider(ChatProvider):
    slug = "acme"
    label = "Acme"
    default_base_url = "https://api.acme.example/v1"
    fields = (key_field("From acme.example."), address_field(default_base_url))
"""
SDKS = ("anthropic", "openai", "google.genai", "httpx2", "aiohttp", "mcp")


def test_every_provider_is_found_and_the_demo_comes_last() -> None:
    slugs = [provider.slug for provider in all_providers()]
    assert slugs[-1] == "demo"
    assert {"anthropic", "openai", "openai_compatible"} <= set(slugs)
    assert all(provider_class(slug).slug == slug for slug in slugs)


def test_an_unknown_slug_names_the_known_ones() -> None:
    with pytest.raises(UnknownProvider, match=r"no provider 'acme'.*anthropic"):
        provider_class("acme")


def test_a_new_vendor_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is edited: it is found, its form and schema are there, and a config of it could be made."""
    (tmp_path / "acme.py").write_text(ACME)
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "llmconfig.providers.acme", raising=False)
    registry._by_slug.cache_clear()
    try:
        acme = provider_class("acme")
        assert acme in all_providers()
        row = provider_row(acme)
        assert (row["slug"], row["label"], row["credential_schema"]["required"]) == ("acme", "Acme", ["api_key"])
        assert "max_output_tokens" in row["options_schema"]["properties"]
        check_base_url(acme, "")
        assert acme.credentials_problem((), {}) == ("api_key", "Acme needs this.")
    finally:
        sys.modules.pop("llmconfig.providers.acme", None)
        registry._by_slug.cache_clear()


def test_listing_loads_no_sdk() -> None:
    code = f"import sys; from llmconfig.registry import all_providers; all_providers(); print([m for m in {SDKS} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("provider", all_providers(), ids=lambda provider: provider.slug)
def test_facts_that_forms_derive_from(provider: type[Provider]) -> None:
    assert provider.label
    assert provider.wire
    names = [field.name for field in (*provider.fields, *provider.options)]
    assert len(names) == len(set(names))
    assert not any(field.write_only for field in provider.options), "a secret never lies in the options"
    assert all(field.write_only for field in provider.fields if field.name == "api_key")
    assert provider.default_base_url or any(field.name == "base_url" and field.required for field in provider.fields)


def test_whoever_names_a_price_list_is_in_it() -> None:
    from genai_prices.data_snapshot import get_snapshot

    known = {provider.id for provider in get_snapshot().providers}
    named = {provider.price_list for provider in all_providers() if provider.price_list}
    assert named <= known
    assert {"azure", "deepseek", "mistral", "groq", "x-ai", "openrouter", "together"} <= named
