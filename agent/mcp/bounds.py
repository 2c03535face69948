"""The HTTP of one service, bounded: a failed request fails alone, a body has an end, and we know what really happened.

The SDK ends a whole session when one request raises, and reduces a status to "Server returned an error response". So this
transport raises nothing: it notes status or failure in the `Exchange` of whoever asked (a context variable, which the SDK
carries from the caller to the request) and answers the SDK with a stand-in that fails this one request.
"""

from __future__ import annotations

import asyncio
import json
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

import anyio
import httpx2

from agent.mcp.standing import TOO_LONG, StandingStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from agent.mcp.endpoint import Transport

T = TypeVar("T")

_BRIEF_SECONDS = 2.0  # for what nobody waits for: notifications, and the DELETE of a session
_SESSION_HEADER = "mcp-session-id"
_LAST_EVENT_HEADER = "last-event-id"


class Unreadable(httpx2.SSEError, httpx2.StreamError):
    """The body cannot be read on. Both classes, as the SDK contains one for JSON bodies and the other for event streams."""


class Exchange:
    """What happened on the wire for one request of ours.

    on_failure: called once, for a transport whose SDK part would not notice a failure by itself.
    """

    __slots__ = ("_scopes", "failure", "finished", "named_session", "on_failure", "redirected_to", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.failure: Exception | None = None
        self.redirected_to: str | None = None
        self.named_session = False
        self.finished = False
        self.on_failure: Callable[[], object] | None = None
        self._scopes: set[anyio.CancelScope] = set()

    @property
    def session_forgotten(self) -> bool:
        """Spec: 404 to a request with a session id. Several servers say 400 instead; neither has run anything."""
        return self.named_session and self.status in (400, 404)

    def begin(self, *, names_session: bool) -> None:
        """The last request tells: a connect makes several, and the first may be refused by an older server."""
        self.status = self.failure = self.redirected_to = None
        self.named_session = names_session

    def fail(self, failure: Exception | None = None) -> None:
        self.failure = self.failure or failure
        if self.on_failure is not None:
            self.on_failure()

    def finish(self) -> None:
        """The caller has its answer or went away: whatever still reads for it stops."""
        self.finished = True
        for scope in self._scopes:
            scope.cancel()

    async def attend(self, work: Callable[[], Awaitable[T]]) -> T:
        """Await work() while somebody waits for this exchange; Unreadable afterwards."""
        if self.finished:
            raise Unreadable("nobody waits for this answer")
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                return await work()
            finally:
                self._scopes.discard(scope)
        raise Unreadable("nobody waits for this answer")


current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


class BoundedTransport(httpx2.AsyncBaseTransport):
    def __init__(self, inner: httpx2.AsyncBaseTransport, *, transport: Transport, body_bytes: int) -> None:
        self._inner, self._transport, self._body_bytes = inner, transport, body_bytes
        self._aside: set[asyncio.Task[object]] = set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = current.get() or Exchange()
        if request.method == "GET" and _LAST_EVENT_HEADER not in request.headers:
            return await self._listen(request, exchange)
        notified = _notification(request) if request.method == "POST" else None
        if notified == "notifications/cancelled":
            return self._send_aside(request)
        if notified is not None or request.method == "DELETE":
            return await self._brief(request)
        return await self._attended(request, exchange)

    async def aclose(self) -> None:
        for task in self._aside:
            task.cancel()
        await asyncio.gather(*self._aside, return_exceptions=True)
        await self._inner.aclose()

    def _send_aside(self, request: httpx2.Request) -> httpx2.Response:
        """The SDK writes one notification at a time: a server slow to take this one would hold up everybody's calls."""

        async def send() -> None:
            await (await self._brief(request)).aclose()

        task: asyncio.Task[object] = asyncio.create_task(send())
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)
        return httpx2.Response(202, request=request)

    async def _listen(self, request: httpx2.Request, exchange: Exchange) -> httpx2.Response:
        """The standing stream: all of an SSE session, but of no use in streamable HTTP, where a run asks before its first call."""
        if self._transport == "streamable-http":
            return httpx2.Response(405, request=request)
        return await self._send(request, exchange, None)

    async def _brief(self, request: httpx2.Request) -> httpx2.Response:
        exchange = Exchange()
        try:
            async with asyncio.timeout(_BRIEF_SECONDS):
                return await self._send(request, exchange, self._body_bytes)
        except TimeoutError:
            return httpx2.Response(202, request=request)

    async def _attended(self, request: httpx2.Request, exchange: Exchange) -> httpx2.Response:
        exchange.begin(names_session=_SESSION_HEADER in request.headers)
        try:
            return await exchange.attend(lambda: self._send(request, exchange, self._body_bytes))
        except Unreadable:
            return httpx2.Response(202, request=request)

    async def _send(self, request: httpx2.Request, exchange: Exchange, body_bytes: int | None) -> httpx2.Response:
        try:
            response = await self._inner.handle_async_request(request)
        except Exception as failure:  # noqa: BLE001  noted, and reported by whoever waits; raising it would end every other call
            exchange.fail(failure)
            return self._stand_in(request)
        exchange.status = response.status_code
        if response.is_redirect:
            exchange.redirected_to = response.headers.get("location", "")
            await response.aclose()
        if response.is_redirect or (response.is_error and self._transport == "sse"):
            exchange.fail()
            return self._stand_in(request)
        # Decoded here, so that the limit counts what a compressed body unpacks to; the headers must then not say so again.
        headers = [(name, value) for name, value in response.headers.multi_items() if name not in ("content-encoding", "content-length")]
        body = _Body(response, exchange, body_bytes)
        return httpx2.Response(response.status_code, headers=headers, stream=body, request=request, extensions=response.extensions)

    def _stand_in(self, request: httpx2.Request) -> httpx2.Response:
        # The SDK's SSE writer dies of a refused POST, and every later call with it; its GET must fail, to end the connect.
        taken = self._transport == "sse" and request.method == "POST"
        return httpx2.Response(202 if taken else 503, request=request)


class _Body(httpx2.AsyncByteStream):
    """A decoded body, up to its limit. A limit of None is for the standing stream, which ends with its session."""

    def __init__(self, response: httpx2.Response, exchange: Exchange, limit: int | None) -> None:
        self._response, self._exchange, self._limit = response, exchange, limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._response.aiter_bytes().__aiter__()
        standing = StandingStream() if self._limit is None else None
        received = 0
        while True:
            try:
                chunk = await (anext(chunks) if self._limit is None else self._exchange.attend(lambda: anext(chunks)))
            except StopAsyncIteration:
                return
            except (httpx2.HTTPError, httpx2.StreamError) as failure:
                self._exchange.fail(failure)
                raise Unreadable(str(failure)) from None
            received += len(chunk)
            if self._limit is not None and received > self._limit:
                too_long = Unreadable(f"{TOO_LONG} {self._limit:,} bytes")
                self._exchange.fail(too_long)
                raise too_long
            yield standing.feed(chunk) if standing else chunk

    async def aclose(self) -> None:
        await self._response.aclose()


def _notification(request: httpx2.Request) -> str | None:
    """The method of a message that expects no answer."""
    message = json.loads(request.content)
    return str(message.get("method")) if isinstance(message, dict) and "id" not in message else None
