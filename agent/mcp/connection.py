"""One live connection to a service. Importing this module loads the MCP SDK (half a second): only `client.py` does, on first use.

anyio's cancel scopes must be left by the task that entered them, and a pooled connection outlives whoever opened it. So each
connection has an owner task that enters the SDK's client, keeps it, and leaves it. Requests run in their caller's own task.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    InputRequiredResult,
    PaginatedRequestParams,
    TextContent,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter

from agent.mcp.bounds import BoundedTransport, Exchange, current
from agent.mcp.errors import ServiceError, ServiceUnreachable
from agent.mcp.faults import explain
from agent.mcp.lenient import LEFT_OUT, leniently
from llmconfig.llm import Timeouts
from llmconfig.net import build_client
from llmconfig.net.client import tls_context
from llmconfig.net.transport import GuardedTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import httpx2
    from mcp import ClientSession
    from mcp.client._transport import Transport as SDKTransport
    from mcp_types import ListToolsResult

    from agent.mcp.endpoint import Endpoint
    from agent.mcp.limits import Limits
    from llmconfig.net import EgressPolicy

T = TypeVar("T")

# The SDK logs what a server sent, tracebacks included, and a server may send our key back; httpx2 logs whole addresses, whose query
# may hold one. What matters is in our errors.
# Filters, since configuring logging later would reset levels.
for _logger in ("mcp.client.streamable_http", "mcp.client.sse", "mcp.shared.jsonrpc_dispatcher", "client", "httpx2"):
    logging.getLogger(_logger).addFilter(lambda record: False)

_US = Implementation(name="routekit", version="0.1.0")
_CLOSING_SECONDS = 5.0
_RESULT: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)
_SILENCE_SECONDS = 3600.0  # how long a call may be silent is its caller's to say, by its deadline


class Connection:
    """Opens at once, in its own task; `ready` waits for that. Closes by itself after `Limits.idle_seconds` without use."""

    def __init__(self, endpoint: Endpoint, egress: EgressPolicy, limits: Limits) -> None:
        self._endpoint, self._egress, self._limits = endpoint, egress, limits
        self._session: ClientSession | None = None
        self._error: ServiceError | None = None
        self._settled, self._wake = asyncio.Event(), asyncio.Event()
        self._usable, self._closing = True, False
        self._in_flight, self._last_used = 0, _now()
        # A fresh context: the connection must not carry the run that happened to open it.
        self.owner = asyncio.create_task(self._own(), name=f"mcp {endpoint.key}", context=Context())

    @property
    def is_usable(self) -> bool:
        """Connecting, or connected."""
        return self._usable

    @property
    def is_busy(self) -> bool:
        return self._in_flight > 0 or not self._settled.is_set()

    async def ready(self) -> None:
        """Raises the ServiceError that kept it from opening."""
        await self._settled.wait()
        if self._error is not None:
            raise type(self._error)(self._error.detail, status=self._error.status, advice=self._error.advice)

    def retire(self) -> None:
        """Take no more requests, and close when the last of them has its answer."""
        self._usable = False
        self._wake.set()

    async def aclose(self) -> None:
        """Closes now. A server that does not let go is left after a few seconds."""
        self._closing = True
        self.retire()
        if not self._settled.is_set():
            self.owner.cancel()
        _, hanging = await asyncio.wait({self.owner}, timeout=_CLOSING_SECONDS)
        if hanging:
            self.owner.cancel()
            await asyncio.wait({self.owner}, timeout=_CLOSING_SECONDS)

    async def list_page(self, cursor: str | None) -> tuple[ListToolsResult, list[str]]:
        """A page of tools, and the names of what stood among them and is none."""

        async def send(session: ClientSession) -> tuple[ListToolsResult, list[str]]:
            page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
            return page, (page.meta or {}).get(LEFT_OUT, [])

        return await self._request(send, calling=False)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """The SDK's `call_tool` is passed by: it validates results against the server's own schema, whose patterns could hold the
        loop for minutes, and would turn an answer of a tool that has run into an error."""
        request = CallToolRequest(params=CallToolRequestParams(name=name, arguments=dict(arguments)))

        async def send(session: ClientSession) -> CallToolResult:
            try:
                result = await session.send_request(request, _RESULT)
            except MCPError as refused:
                if refused.code == INVALID_PARAMS:  # an unknown tool or wrong arguments: the model can do better next time
                    return _failed(f"The service refused this call: {refused.message}")
                if refused.code != HEADER_MISMATCH or session.protocol_version not in MODERN_PROTOCOL_VERSIONS:
                    raise
                await self._learn_headers(session, name)  # refused before it ran; the specification's way out
                result = await session.send_request(request, _RESULT)
            if isinstance(result, InputRequiredResult):
                return _failed("The tool asks for further input in the middle of a call, which is not supported here.")
            return result

        return await self._request(send, calling=True)

    async def _request(self, send: Callable[[ClientSession], Awaitable[T]], *, calling: bool) -> T:
        session = self._session
        if session is None:
            raise ServiceUnreachable(f"The connection to {self._endpoint.place} is closed.")
        exchange = Exchange()
        token = current.set(exchange)
        self._in_flight += 1
        try:
            with anyio.CancelScope() as scope:
                if self._endpoint.transport == "sse":
                    exchange.on_failure = scope.cancel
                return await send(session)
            raise explain(ConnectionError(), exchange, self._endpoint, calling=calling)
        except ServiceError:
            raise
        except Exception as error:  # noqa: BLE001  whatever the SDK raises, callers see one tree
            raise explain(error, exchange, self._endpoint, calling=calling) from None
        finally:
            exchange.finish()
            current.reset(token)
            self._in_flight -= 1
            self._last_used = _now()
            if exchange.session_forgotten:
                self.retire()
            elif not self._usable:
                self._wake.set()

    async def _learn_headers(self, session: ClientSession, name: str) -> None:
        """2026-07-28 mirrors some arguments into headers, by a schema that the session must have listed."""
        cursor: str | None = None
        for _ in range(self._limits.pages):
            page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
            cursor = page.next_cursor
            if cursor is None or any(tool.name == name for tool in page.tools):
                return

    async def _own(self) -> None:
        exchange = Exchange()
        current.set(exchange)
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self._limits.connect_seconds) as deadline:
                    if self._endpoint.transport == "sse":
                        exchange.on_failure = partial(deadline.reschedule, 0)
                    http = self._http()
                    stack.push_async_callback(http.aclose)
                    mode = "legacy" if self._endpoint.transport == "sse" else "auto"
                    client = Client(leniently(self._transport(http)), mode=mode, client_info=_US, cache=None)
                    self._session = (await stack.enter_async_context(client)).session
                exchange.on_failure = None
                self._settled.set()
                await self._until_unused()
                self._usable, self._session = False, None
        except asyncio.CancelledError as cancelled:
            self._error = explain(cancelled, exchange, self._endpoint, calling=False)
            raise
        except Exception as error:  # noqa: BLE001  told to everyone who waits for this connection
            self._error = explain(error, exchange, self._endpoint, calling=False)
        finally:
            self._usable, self._session = False, None
            self._settled.set()

    def _http(self) -> httpx2.AsyncClient:
        guarded = GuardedTransport(self._egress, tls=tls_context())
        return build_client(
            self._egress,
            timeouts=Timeouts(connect=self._limits.connect_seconds, idle=_SILENCE_SECONDS),
            headers={name: value.reveal() for name, value in self._endpoint.headers.items()},
            transport=BoundedTransport(guarded, transport=self._endpoint.transport, body_bytes=self._limits.body_bytes),
        )

    def _transport(self, http: httpx2.AsyncClient) -> SDKTransport:
        def lend(headers: object = None, timeout: object = None, auth: object = None) -> httpx2.AsyncClient:
            return http  # headers and timeouts are set already

        if self._endpoint.transport == "sse":
            return sse_client(self._endpoint.url, httpx_client_factory=lend)
        return streamable_http_client(self._endpoint.url, http_client=http, max_sse_event_size=self._limits.body_bytes)

    async def _until_unused(self) -> None:
        while not self._closing:
            self._wake.clear()
            if not self._usable and not self._in_flight:
                return
            left = self._limits.idle_seconds if self._in_flight else self._last_used + self._limits.idle_seconds - _now()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left):
                    await self._wake.wait()
            except TimeoutError:
                continue


def _failed(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)], is_error=True)


def _now() -> float:
    return asyncio.get_running_loop().time()
