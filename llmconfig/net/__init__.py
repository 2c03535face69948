"""Where routekit may connect, and the one factory of HTTP clients. Pure; no Django.

The policy is cheap to import. The client stands on httpx2 and aiohttp, half a second of imports, so it is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llmconfig.net.policy import EgressPolicy, UrlForbidden, check_url, origin

if TYPE_CHECKING:
    from llmconfig.net.client import build_client
    from llmconfig.net.errors import AddressForbidden, CertificateRefused, NameNotResolved

_LAZY = {
    "AddressForbidden": "llmconfig.net.errors",
    "CertificateRefused": "llmconfig.net.errors",
    "NameNotResolved": "llmconfig.net.errors",
    "build_client": "llmconfig.net.client",
}

__all__ = [
    "AddressForbidden",
    "CertificateRefused",
    "EgressPolicy",
    "NameNotResolved",
    "UrlForbidden",
    "build_client",
    "check_url",
    "origin",
    "preload",
]


def preload() -> None:
    """Import the client and read the trust store: a tenth of a second and more, so never on an event loop."""
    import_module("llmconfig.net.client").tls_context()


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
