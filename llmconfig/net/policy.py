"""Which hosts the operator opened, and what an address or URL may be under that policy.

Two moments: `check_url` refuses what can be told from the text alone, when a URL is saved; `refusal` judges each address
at the moment of the dial, when the name has been resolved (a name may answer differently every time).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from llmconfig.net.addresses import Place, literal_address, place_of

SCHEMES = {"http": 80, "https": 443}
MAX_URL_LENGTH = 2048
MAX_NAME_LENGTH = 253
_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?", re.IGNORECASE)


class UrlForbidden(ValueError):
    """A URL that routekit will not save; the message is a sentence for whoever typed it."""


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """private_hosts: `host:port` or `host:*`, as written in URLs; IPv6 in brackets. The operator's, never a tenant's."""

    private_hosts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "private_hosts", frozenset(entry.strip().lower() for entry in self.private_hosts))

    def lists(self, host: str, port: int) -> bool:
        name = bracketed(host)
        return f"{name}:{port}" in self.private_hosts or f"{name}:*" in self.private_hosts


def bracketed(host: str) -> str:
    """The host as a URL writes it: lower case, no trailing dot, IPv6 in brackets."""
    name = host.strip("[]").rstrip(".").lower()
    return f"[{name}]" if ":" in name else name


def refusal(address: str | IPv4Address | IPv6Address, *, host: str, port: int, policy: EgressPolicy) -> str | None:
    """Why `address`, reached through `host:port` of a URL, must not be dialled; None where it may."""
    # The address behind a name is not told: whoever types names would learn what an internal DNS answers.
    literal = literal_address(host) is not None or not host
    subject = f"{address} is" if literal else f"{bracketed(host)} leads to"
    match place_of(address):
        case Place.PUBLIC:
            return None
        case Place.METADATA:
            return f"{subject} a cloud metadata or link-local address. routekit never connects to it."
        case Place.RESERVED:
            return f"{subject} {'not ' if literal else 'what is not '}an address of a server. routekit never connects to it."
        case Place.PRIVATE:
            return None if policy.lists(host, port) else _private(subject, host, port)


def host_refusal(host: str, port: int, policy: EgressPolicy) -> str | None:
    """Why `host` must not be dialled, as far as its spelling tells; None for names, which are judged once resolved."""
    address = literal_address(host)
    if address is not None:
        canonical = bracketed(host).strip("[]") == str(address)
        if not canonical and isinstance(address, IPv4Address):
            return f"{host} is another spelling of {address}. Write the address in its usual form."
        return refusal(address, host=host, port=port, policy=policy)
    name = bracketed(host)
    if (name == "localhost" or name.endswith(".localhost")) and not policy.lists(host, port):
        return _private(f"{name} is", host, port)
    return None


def check_url(url: str, policy: EgressPolicy) -> None:
    """Raise UrlForbidden for a base or service URL that could never be used."""
    parts = _split(url)
    if parts.scheme not in SCHEMES:
        raise UrlForbidden("The URL must begin with https:// or http://.")
    if "@" in parts.netloc:
        raise UrlForbidden("The URL must not contain a user name or password. Put the key in its own field.")
    host = parts.hostname
    name = _looked_up(host, bracketed="[" in parts.netloc) if host else ""
    if not name:
        raise UrlForbidden("The URL names no server. Write it like https://api.example.com/v1.")
    reason = host_refusal(name, port_of(parts), policy)
    if reason is not None:
        raise UrlForbidden(reason)


def _looked_up(host: str, *, bracketed: bool) -> str:
    """The name or address as the client will read it (an ideographic full stop is a dot there), or "" where there could be no such host;
    clients fail on any other in their own ways.
    """
    if bracketed:
        return host if "%" not in host and literal_address(host) is not None else ""
    name = host if host.isascii() else _ascii(host)
    return name if len(name) <= MAX_NAME_LENGTH and _NAME.fullmatch(name) else ""


def _ascii(host: str) -> str:
    """An international name as it is looked up, or "". Asked of the client itself, which takes long to import."""
    httpx2: Any = import_module("httpx2")
    try:
        raw: bytes = httpx2.URL(f"http://{host}").raw_host
    except httpx2.InvalidURL:
        return ""
    return raw.decode("ascii")


def port_of(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        raise UrlForbidden("The URL's port must be a number between 1 and 65535.") from None
    if port == 0:
        raise UrlForbidden("The URL's port must be a number between 1 and 65535.")
    return port or SCHEMES[parts.scheme]


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: where a key goes. Two spellings of one origin are equal; what cannot be read is like nothing else."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    name = host if host.isascii() else (_ascii(host) or host).rstrip(".")
    return parts.scheme, name, parts.port or SCHEMES.get(parts.scheme)


def _split(url: str) -> SplitResult:
    # Parsers disagree on backslashes, spaces and control characters: what one reads as path another reads as host.
    if len(url) > MAX_URL_LENGTH:
        raise UrlForbidden(f"The URL is longer than {MAX_URL_LENGTH} characters.")
    if any(ord(character) <= 0x20 or character in "\\\x7f" for character in url):
        raise UrlForbidden("The URL must not contain spaces, backslashes or control characters.")
    try:
        return urlsplit(url)
    except ValueError:
        raise UrlForbidden("This is not a URL. Write it like https://api.example.com/v1.") from None


def _private(subject: str, host: str, port: int) -> str:
    return f"{subject} a private address. An operator must add {bracketed(host)}:{port} to ROUTEKIT_PRIVATE_HOSTS first."
