"""Where a service is and what opens it; the one place that knows which texts are its credentials."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from llmconfig.llm.secret import MASK, Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Transport: TypeAlias = Literal["streamable-http", "sse"]

_SHORTEST_CREDENTIAL = 6  # shorter words ("Bearer" apart, which is skipped by name) would mask ordinary text


def masked(url: str) -> str:
    """url for those who may know of a service but not open it: each value of its query masked, as one may be its key."""
    parts = urlsplit(url)
    pairs = [pair.partition("=") for pair in parts.query.split("&") if pair]
    query = "&".join(f"{name}={MASK}" if equals else MASK for name, equals, _ in pairs)
    return urlunsplit(parts._replace(query=query, fragment=""))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """key: the pool's key, such as "user:service:version"; new credentials mean a new key.

    url: never shown, since a service's key may be a part of its query. is_sealed: its headers are not opened yet.
    """

    key: str
    url: str = field(repr=False)
    transport: Transport = "streamable-http"
    headers: Mapping[str, Secret] = field(default_factory=dict[str, Secret], hash=False)
    is_sealed: bool = False

    def sealed(self) -> Endpoint:
        """This endpoint without what opens it."""
        return replace(self, headers={}, is_sealed=True)

    def is_at(self, other: Endpoint) -> bool:
        """Whether a session with `other` serves: a sealed endpoint is known by its key, which changes with its credentials."""
        if not self.is_sealed:
            return self == other
        return (self.key, self.url, self.transport) == (other.key, other.url, other.transport)

    @property
    def place(self) -> str:
        """The address as people may see it: no user, query or fragment."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def scrub(self, text: str) -> str:
        """text with each credential of this endpoint masked, also where it was base64- or URL-encoded."""
        for credential in self._credentials():
            encoded = base64.b64encode(credential.encode()).decode()
            for form in (credential, quote(credential, safe=""), encoded):
                text = text.replace(form, MASK)
        return text

    def _credentials(self) -> Iterator[str]:
        parts = urlsplit(self.url)
        candidates = [word for secret in self.headers.values() for word in secret.reveal().split()]
        candidates += [value for _, value in parse_qsl(parts.query)]
        candidates += [parts.password] if parts.password else []
        return (word for word in candidates if len(word) >= _SHORTEST_CREDENTIAL and word.lower() != "bearer")
