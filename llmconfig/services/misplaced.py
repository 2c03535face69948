"""A key that was pasted into a field that many may read, or into a URL: refused, since the audit trail would keep it for good."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

from llmconfig.tenancy.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmconfig.llm import Secret

_SHORTEST: Final = 12
"""A shorter key ("ollama") is a word that may stand in any name."""
_NAMES: Final = frozenset({"key", "apikey", "token", "accesstoken", "authtoken", "secret", "clientsecret", "password"})


def check_misplaced(fields: Mapping[str, Any], secrets: Iterable[Secret]) -> None:
    """fields: readable ones by name, as they were sent. secrets: those sent beside them. Raises `Invalid`, which does not repeat them."""
    for secret in secrets:
        if len(secret) < _SHORTEST:
            continue
        written = {secret.reveal(), quote(secret.reveal(), safe=""), quote(secret.reveal()), json.dumps(secret.reveal())[1:-1]}
        for name, value in fields.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            if any(form in text for form in written):
                raise Invalid("This holds the key. Put it in its own field alone, where it is sealed.", code="holds_key", attr=name)


def check_url_without_key(url: str, *, attr: str, instead: str) -> None:
    """Raises `Invalid` for a URL whose query names a key. instead: where one belongs."""
    for name, value in parse_qsl(urlsplit(url).query):
        if value and name.lower().replace("_", "").replace("-", "") in _NAMES:
            raise Invalid(f"The URL must not hold a key (“{name[:40]}”): it is shown to many. {instead}", code="holds_key", attr=attr)
