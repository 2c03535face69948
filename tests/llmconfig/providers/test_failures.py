"""How secrets are kept out of what providers say."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from llmconfig.llm import AuthenticationFailed, Secret
from llmconfig.providers.failures import scrubbed, without

ODD = 'team&alice/0123456789abcdef0123456789abcdef "é"'
WRITTEN = {
    "raw": ODD,
    "json": json.dumps(ODD)[1:-1],
    "url": quote(ODD, safe=""),
    "base64": base64.b64encode(ODD.encode()).decode(),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_secret_is_masked_whole_however_it_is_written(form: str) -> None:
    """Patterns would take what they know of it, and leave the rest."""
    assert without([Secret("short"), Secret(ODD)], f"key {WRITTEN[form]} is short".encode()).decode() == "key •••• is short"


def test_a_message_that_was_cut_in_the_middle_of_a_secret_keeps_no_half_of_it() -> None:
    error = AuthenticationFailed("You sent lemonade-st…")
    assert scrubbed(error, Secret("lemonade-stand")).detail == "You sent ••••…"
