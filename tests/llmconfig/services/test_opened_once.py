"""Secrets are opened where a client is built, and nowhere else: read in the source, so that another place fails here."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
ALLOWED = {
    "open_credentials": {"llmconfig/services/reveal.py"},
    "reveal_for_run": {"agent/services/revealing.py"},
    "open_endpoint": {"agent/services/revealing.py", "agent/services/listing.py"},
    # the audited opening itself, for a worker's client and for a test or a list of models
    "reveal()": {"llmconfig/services/clients.py", "llmconfig/services/connection.py"},
    # sealed anew for another owner, another row or beside another secret; a service's session; what an idempotent request was answered
    "open_for": {
        "llmconfig/services/secrets.py",
        "llmconfig/tenancy/rest/idempotency.py",
        "agent/services/connections.py",
        "agent/services/endpoints.py",
        "agent/services/erasure.py",  # a stored answer, to tell whether it goes with a conversation
    },
    ".reveal()": {
        "llmconfig/services/fields.py",  # the shape of a key that is being entered
        "llmconfig/services/misplaced.py",  # whether it was entered in another field, too
        "llmconfig/services/secrets.py",
        "llmconfig/tenancy/rest/idempotency.py",
        "llmconfig/vault/cipher.py",
        "agent/services/connections.py",  # the shape of a token
        "agent/services/endpoints.py",
        "agent/mcp/connection.py",
        "agent/mcp/endpoint.py",  # scrubbing
        "agent/services/erasure.py",
        "llmconfig/llm/masking.py",
        "llmconfig/web/second_factors.py",  # the seed of a second factor, to check what was typed
        "llmconfig/providers/",
    },
}


def openings(source: str) -> Iterator[tuple[str, int]]:
    """(what, line) of each call that opens something."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr == "reveal" and not node.args and not node.keywords:
            yield ".reveal()", node.lineno
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "reveal" and (node.args or node.keywords):
            yield "reveal()", node.lineno
        elif name in ALLOWED:
            yield name, node.lineno


def test_secrets_are_opened_where_a_client_is_built() -> None:
    strays = []
    for path in sorted(path for package in ("llmconfig", "agent", "routekit") for path in (ROOT / package).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        for what, line in openings(path.read_text()):
            if not any(name == place or (place.endswith("/") and name.startswith(place)) for place in ALLOWED[what]):
                strays.append(f"{name}:{line} {what}")
    assert strays == []


def test_nothing_is_allowed_that_nobody_does() -> None:
    for what, places in ALLOWED.items():
        for place in places:
            files = sorted((ROOT / place).glob("*.py")) if place.endswith("/") else [ROOT / place]
            assert any(found == what for path in files for found, _ in openings(path.read_text())), (what, place)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("open_credentials(config)", "open_credentials"),
        ("services.open_credentials(config)", "open_credentials"),
        ("keys.open_for(row, 'api_key')", "open_for"),
        ("secret.reveal()", ".reveal()"),
        ("reveal(config, purpose='run', actor=a)", "reveal()"),
    ],
)
def test_the_reader_finds_what_it_looks_for(source: str, found: str) -> None:
    assert [what for what, _ in openings(source)] == [found]
