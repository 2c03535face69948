"""What the transport's failures are called in the kernel's error tree, and how a key is kept out of the words."""

from __future__ import annotations

import base64
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from llmconfig.llm import AuthenticationFailed, ProviderError, ProviderTimeout, ProviderUnavailable, StreamInterrupted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmconfig.llm import Secret

_SHORTEST_TELLING_KEY: Final = 6
"""Below this a key is a word that may stand in any sentence; replacing it would garble the message and hide nothing."""


def describe(error: Exception, *, host: str, label: str, streaming: bool = False) -> ProviderError | None:
    """The kernel's error for a transport failure, bare or wrapped by an SDK; None for anything else.

    host: of the base URL. streaming: the answer had begun.
    """
    if isinstance(error, ProviderError):
        return error
    httpx2: Any = import_module("httpx2")
    net: Any = import_module("llmconfig.net")
    cause = _caused_by(error, (httpx2.TransportError, httpx2.DecodingError))
    if cause is None:
        return None
    if isinstance(cause, net.AddressForbidden):
        return ProviderUnavailable(str(cause))
    if isinstance(cause, httpx2.ConnectTimeout):
        return ProviderTimeout(f"routekit could not reach {host}: {cause}.")
    if isinstance(cause, httpx2.TimeoutException):
        return ProviderTimeout(f"{label} fell silent.")
    if isinstance(cause, (httpx2.ConnectError, httpx2.UnsupportedProtocol)):
        return ProviderUnavailable(f"routekit could not reach {host}: {cause}.")
    if isinstance(cause, httpx2.DecodingError):
        unpacked = f"{host} sent a compressed answer that cannot be unpacked."
        return StreamInterrupted(unpacked) if streaming else ProviderUnavailable(unpacked)
    if streaming:
        return StreamInterrupted(f"The connection to {label} broke in the middle of the answer.")
    return ProviderUnavailable(f"{host} did not answer: {cause}.")


def key_problem(key: Secret, label: str) -> AuthenticationFailed | None:
    """A key that could not stand in a header; encoding errors would quote it."""
    text = key.reveal()
    if all("!" <= character <= "~" for character in text):
        return None
    return AuthenticationFailed(f"This is not a key of {label}: it contains spaces or characters that no key has.")


def without(secrets: Iterable[Secret], body: bytes) -> bytes:
    """The body of a refusal with the secrets masked, raw, as JSON or a URL writes them and in base64: before it is judged by patterns,
    which may take a part of one and leave the rest.
    """
    for secret in secrets:
        text = secret.reveal()
        if len(text) >= _SHORTEST_TELLING_KEY:
            for written in (text, json.dumps(text)[1:-1], quote(text, safe=""), base64.b64encode(text.encode()).decode()):
                body = body.replace(written.encode(), str(secret).encode())
    return body


def scrubbed(error: ProviderError, *secrets: Secret) -> ProviderError:
    """The same error with the secrets, should a provider have echoed any, masked."""
    detail = error.detail
    for secret in secrets:
        detail = _masked(detail, secret)
    return error if detail == error.detail else error.reworded(detail)


def _masked(detail: str, secret: Secret) -> str:
    text = secret.reveal()
    if len(text) < _SHORTEST_TELLING_KEY:
        return detail
    detail = detail.replace(text, str(secret))
    begun = next((size for size in range(min(len(text) - 1, len(detail)), 3, -1) if detail.endswith(f"{text[:size]}…")), 0)
    return f"{detail[: -begun - 1]}{secret}…" if begun else detail  # a long message was cut in the middle of the secret


def _caused_by(error: BaseException | None, wanted: tuple[type[Exception], ...]) -> Exception | None:
    while error is not None:
        if isinstance(error, wanted):
            return error
        error = error.__cause__
    return None
