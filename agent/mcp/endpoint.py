"""Where a service is and what opens it; the one place that knows which texts are its credentials."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from llmconfig.llm import Masker, Secret, watch
from llmconfig.llm.secret import MASK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Transport: TypeAlias = Literal["streamable-http", "sse"]

_LIKE_A_KEY = re.compile(r"[\w.~%+=:-]{20,}", re.ASCII)  # a segment of a path
_SHORTEST_CREDENTIAL = 6  # shorter words ("Bearer" apart, which is skipped by name) would mask ordinary text


def masked(url: str) -> str:
    """url for those who may know of a service but not open it, without what may be its key: user, values of its query, long segments."""
    parts = urlsplit(url)
    pairs = [pair.partition("=") for pair in parts.query.split("&") if pair]
    query = "&".join(f"{name}={MASK}" if equals else MASK for name, equals, _ in pairs)
    _, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{MASK}@{host}" if at else host, path=_masked_path(parts.path), query=query, fragment=""))


def _masked_path(path: str) -> str:
    return "/".join(MASK if _LIKE_A_KEY.fullmatch(segment) else segment for segment in path.split("/"))


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

    _opened: tuple[Secret, ...] = field(init=False, repr=False, compare=False)
    _masker: Masker = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        opened = tuple(map(Secret, self._credentials()))
        for secret in opened:
            watch(secret)  # the log does not tell them either, as long as this endpoint is in use
        object.__setattr__(self, "_opened", opened)
        object.__setattr__(self, "_masker", Masker(opened))

    @property
    def place(self) -> str:
        """The address as people may see it: no user, query or fragment, and no part of its path that may be a key."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{_masked_path(parts.path)}"

    def scrub(self, text: str) -> str:
        """text with each credential of this endpoint masked, however it was encoded, and also where only its beginning stands."""
        return self._masker.mask(text)

    def _credentials(self) -> Iterator[str]:
        parts = urlsplit(self.url)
        candidates = [word for secret in self.headers.values() for word in secret.reveal().split()]
        candidates += [value for _, value in parse_qsl(parts.query)]
        candidates += [segment for segment in parts.path.split("/") if _LIKE_A_KEY.fullmatch(segment)]
        candidates += [part for part in (parts.username, parts.password) if part]
        return (word for word in candidates if len(word) >= _SHORTEST_CREDENTIAL and word.lower() != "bearer")
