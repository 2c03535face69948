"""agent.mcp.endpoint"""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from agent.mcp.endpoint import Endpoint, masked
from llmconfig.llm import Secret

KEY = "s3cr3t/key+value"
ENDPOINT = Endpoint(
    "alice:crm:1",
    "https://bob:passw0rd@crm.example:8443/mcp?api_key=querykey123&x=1#top",
    headers={"Authorization": Secret(f"Bearer {KEY}")},
)


def test_the_place_shows_neither_user_nor_query() -> None:
    assert ENDPOINT.place == "https://crm.example:8443/mcp"


def test_every_form_of_every_credential_is_masked() -> None:
    forms = [KEY, quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode(), "passw0rd", "querykey123"]
    text = ENDPOINT.scrub("Bearer is a word; " + " ".join(forms))
    assert text.startswith("Bearer is a word; ")
    assert not [form for form in forms if form in text]


def test_a_key_in_the_path_is_shown_nowhere() -> None:
    key = "0a1b2c3d4e5f60718293a4b5"
    endpoint = Endpoint("alice:crm:1", f"https://crm.example/s/{key}/mcp")
    assert endpoint.place == "https://crm.example/s/••••/mcp"
    assert key not in endpoint.scrub(f"404 for /s/{key}/mcp")


def test_repr_shows_no_credential() -> None:
    assert not [form for form in (KEY, "passw0rd", "querykey123") if form in repr(ENDPOINT)]


def test_endpoints_with_other_credentials_differ() -> None:
    other = Endpoint(ENDPOINT.key, ENDPOINT.url, headers={"Authorization": Secret("Bearer other")})
    assert other != ENDPOINT
    assert hash(other) == hash(ENDPOINT)  # a credential is never hashed


@pytest.mark.parametrize(("url", "shown"), [
    ("https://crm.example/mcp", "https://crm.example/mcp"),
    ("https://crm.example:8443/mcp?key=abc&x=&flag#top", "https://crm.example:8443/mcp?key=••••&x=••••&••••"),
    ("https://crm.example/mcp?key=a=b&&key=c", "https://crm.example/mcp?key=••••&key=••••"),
    ("https://me:passw0rd@crm.example/mcp", "https://••••@crm.example/mcp"),
    ("https://token@crm.example/mcp", "https://••••@crm.example/mcp"),
    ("https://crm.example/s/0a1b2c3d4e5f60718293/mcp", "https://crm.example/s/••••/mcp"),
    ("https://crm.example/s/0a1b2c3d4e5f6071829/mcp", "https://crm.example/s/0a1b2c3d4e5f6071829/mcp"),  # under 20 characters
    ("", ""),
])  # fmt: skip
def test_a_masked_address_keeps_its_host_and_the_names_of_its_query(url: str, shown: str) -> None:
    assert masked(url) == shown
