"""httpx2 over an aiohttp session: half the CPU per streamed chunk of httpx2's own transport.

Bodies stream as they arrive, undecoded (httpx2 decodes). Closing a response that is not at its end aborts the connection,
so that a cancelled answer stops costing at once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
import httpx2
from aiohttp.resolver import ThreadedResolver
from multidict import CIMultiDict
from yarl import URL

from llmconfig.net.errors import AddressForbidden, CertificateRefused, NameNotResolved
from llmconfig.net.guard import DialRefused, GuardedResolver, guarded_socket_factory, open_socket, target
from llmconfig.net.policy import SCHEMES, host_refusal

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from aiohappyeyeballs import SocketFactoryType
    from aiohttp.abc import AbstractResolver

    from llmconfig.net.policy import EgressPolicy

KEEPALIVE_S = 60.0
HEADER_BYTES = 64 * 1024
"""The longest line of a header. Companies' gateways send policies of more than aiohttp's own 8 kB."""
ERROR_BYTES = 64 * 1024
ERROR_S = 5.0
"""What is read of the body of an error, and for how long: SDKs read it whole, whoever sends it."""


class GuardedTransport(httpx2.AsyncBaseTransport):
    """resolver and open_socket are seams for tests; the session is made on first use, inside the event loop that owns it."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        tls: ssl.SSLContext,
        resolver: AbstractResolver | None = None,
        open_socket: SocketFactoryType = open_socket,
    ) -> None:
        self._policy, self._tls, self._resolver, self._open_socket = policy, tls, resolver, open_socket
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url, host, port = _target_of(request)
        reason = host_refusal(host, port, self._policy)
        if reason is not None:
            raise AddressForbidden(reason)
        token = target.set((host, port))
        try:
            answer = await self._send(request, url)
        except (aiohttp.ClientError, OSError, TimeoutError, UnicodeError) as error:
            raise translated(error) from error
        finally:
            target.reset(token)
        return httpx2.Response(
            answer.status,
            headers=list(answer.raw_headers),
            stream=_Body(answer) if answer.status < 300 else _Explanation(answer),
            request=request,
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": (answer.reason or "").encode("ascii", "replace")},
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _send(self, request: httpx2.Request, url: URL) -> aiohttp.ClientResponse:
        limits = request.extensions.get("timeout", {})
        headers = CIMultiDict(request.headers.multi_items())
        try:
            body: bytes | httpx2.AsyncByteStream | None = request.content or None
        except httpx2.RequestNotRead:
            body = request.stream if isinstance(request.stream, httpx2.AsyncByteStream) else None
            headers.popall("transfer-encoding", None)
        return await self._opened().request(
            request.method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
            # `connect` spans DNS, dial and TLS; there is no wait for a pool, as it has no limit.
            timeout=aiohttp.ClientTimeout(total=None, connect=limits.get("connect"), sock_read=limits.get("read")),
        )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=self._tls,
                limit=0,
                keepalive_timeout=KEEPALIVE_S,
                resolver=GuardedResolver(self._resolver or ThreadedResolver(), self._policy),
                socket_factory=guarded_socket_factory(self._policy, self._open_socket),
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                max_line_size=HEADER_BYTES,
                max_field_size=HEADER_BYTES,
                requote_redirect_url=False,
            )
        return self._session


def _target_of(request: httpx2.Request) -> tuple[URL, str, int]:
    """The URL, host and port that will be dialled, as aiohttp's own parser reads them: judging another parser's reading would be a hole."""
    try:
        url = URL(str(request.url), encoded=True)
        host, port = url.raw_host, url.port
    except ValueError:
        raise httpx2.UnsupportedProtocol("the URL cannot be used") from None
    if url.scheme not in SCHEMES or not host or not port or "@" in url.raw_authority:
        raise httpx2.UnsupportedProtocol("the URL cannot be used")
    return url, host, port


class _Body(httpx2.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._answer.content
        try:
            while chunk := await content.readany():
                yield chunk
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise translated(error) from error

    async def aclose(self) -> None:
        connection = self._answer.connection  # None once the body was read to its end: the connection is back in the pool
        transport = connection.transport if connection is not None else None
        self._answer.close()
        if transport is not None:
            transport.abort()  # a polite TLS close would wait for the peer


class _Explanation(_Body):
    """The body of an error, which its status outweighs: cut short where it is long or slow, and whole where it broke off."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = bytearray()
        with suppress(aiohttp.ClientError, OSError):
            async with asyncio.timeout(ERROR_S):
                while len(read) < ERROR_BYTES and (chunk := await self._answer.content.readany()):
                    read += chunk
        yield bytes(read[:ERROR_BYTES])


def translated(error: Exception) -> httpx2.TransportError:
    """aiohttp's error in httpx2's tree, most telling class first."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return _connect_error(error)
    for kinds, mapped, reason in _MAPPING:
        if isinstance(error, kinds):
            return mapped(reason)
    return httpx2.ReadError(f"the connection failed ({type(error).__name__})")


_MAPPING: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[httpx2.TransportError], str], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout, "no connection within the time allowed"),
    (TimeoutError, httpx2.ReadTimeout, "the server fell silent"),
    (aiohttp.ServerDisconnectedError, httpx2.RemoteProtocolError, "the server closed the connection without an answer"),
    (aiohttp.ClientPayloadError, httpx2.RemoteProtocolError, "the server closed the connection in the middle of its answer"),
    (aiohttp.ClientResponseError, httpx2.RemoteProtocolError, "the server did not answer in HTTP"),
    ((aiohttp.InvalidURL, UnicodeError), httpx2.UnsupportedProtocol, "the URL cannot be used"),
    (OSError, httpx2.ReadError, "the connection was reset"),
)


def _connect_error(error: aiohttp.ClientConnectorError) -> httpx2.ConnectError:
    cause = error.os_error
    if isinstance(cause, DialRefused):
        return AddressForbidden(str(cause))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NameNotResolved("its name could not be resolved (DNS)")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or "not trusted"
        return CertificateRefused(f"its TLS certificate was refused: {reason}")
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return CertificateRefused("no TLS connection could be agreed; is it an http:// server?")
    if isinstance(cause, ConnectionRefusedError):
        return httpx2.ConnectError("connection refused")
    return httpx2.ConnectError((cause.strerror or "connection failed").lower())
