"""What the transport's failures are called in the kernel's error tree, and how a key is kept out of the words."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llmconfig.llm import AuthenticationFailed, Masker, ProviderError, ProviderTimeout, ProviderUnavailable, StreamInterrupted
from llmconfig.llm.masking import SHORTEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmconfig.llm import Secret


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
    """The body of a refusal with the secrets masked, in whatever spelling, whole or begun: before it is judged by patterns, which may take
    a part of one and leave the rest. Bytes that are no text stay as they are.
    """
    masker = Masker(secrets)
    text = body.decode("utf-8", "surrogateescape")
    return masker.mask(text).encode("utf-8", "surrogateescape")


def scrubbed(error: ProviderError, *secrets: Secret) -> ProviderError:
    """The same error with the secrets, should a provider have echoed any, masked."""
    detail = Masker(secrets).mask(error.detail)
    for secret in secrets:
        detail = _unbegun(detail, secret)
    return error if detail == error.detail else error.reworded(detail)


def _unbegun(detail: str, secret: Secret) -> str:
    """Without the few first characters of the secret that are left where a long message was cut in the middle of it."""
    text = secret.reveal()
    if len(text) < SHORTEST:
        return detail
    begun = next((size for size in range(min(len(text) - 1, len(detail)), 3, -1) if detail.endswith(f"{text[:size]}…")), 0)
    return f"{detail[: -begun - 1]}{secret}…" if begun else detail


def _caused_by(error: BaseException | None, wanted: tuple[type[Exception], ...]) -> Exception | None:
    while error is not None:
        if isinstance(error, wanted):
            return error
        error = error.__cause__
    return None
