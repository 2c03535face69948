"""A service as the rest of routekit sees it: list its tools, call one. Connects when needed, and again after it was cut off."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from agent.mcp.definitions import ToolDefinition, is_usable_name, read_tool
from agent.mcp.endpoint import Endpoint, Transport
from agent.mcp.errors import ServiceTimeout, ServiceUnreachable, SessionForgotten
from agent.mcp.limits import Limits
from agent.mcp.outcome import ToolOutcome, read_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp_types import CallToolResult

    from agent.mcp.connection import Connection
    from llmconfig.net import EgressPolicy

__all__ = ["Endpoint", "ServiceSession", "ToolOutcome", "Transport", "preload"]

logger = logging.getLogger(__name__)


def preload() -> None:
    """Import the MCP SDK; slow the first time (about half a second), so never on an event loop."""
    import_module("agent.mcp.connection")


class ServiceSession:
    """Belongs to one event loop; any number of its tasks may use it at once. Raises `ServiceError`s only."""

    def __init__(self, endpoint: Endpoint, egress: EgressPolicy, limits: Limits | None = None) -> None:
        self.endpoint = endpoint
        self._egress, self._limits = egress, limits or Limits()
        self._connection: Connection | None = None
        self._open: set[Connection] = set()
        self._closed = False

    @property
    def is_connected(self) -> bool:
        return self._connection is not None and self._connection.is_usable

    @property
    def is_busy(self) -> bool:
        return any(connection.is_busy for connection in self._open)

    async def connect(self) -> None:
        """Shared by all who wait for it: one of them giving up stops nobody else's."""
        await self._connected()

    async def list_tools(self) -> list[ToolDefinition]:
        """All tools, page by page, up to `Limits.tools` and `Limits.definition_bytes`; equal names count once, unusable ones not."""
        reused = self.is_connected
        try:
            return await self._list()
        except ServiceUnreachable:
            # A connection from earlier may have died unnoticed. Listing changes nothing, so it may be asked again; a call may not.
            if not reused or self._closed:
                raise
        self._retire()
        return await self._list()

    async def call(self, name: str, arguments: Mapping[str, Any], *, timeout: float) -> ToolOutcome:  # noqa: ASYNC109  it starts after connecting
        """timeout: seconds for the answer, apart from connecting. `ServiceError.may_have_run` says what is known.

        Sent again only to a server that had forgotten our session, and so has not run it. Cancelling the caller tells the server
        so and leaves the session as it was.
        """
        try:
            result = await self._call(name, arguments, timeout)
        except SessionForgotten:
            result = await self._call(name, arguments, timeout)
        return read_result(result, text_bytes=self._limits.text_bytes, scrub=self.endpoint.scrub)

    async def _call(self, name: str, arguments: Mapping[str, Any], timeout: float) -> CallToolResult:  # noqa: ASYNC109  see `call`
        connection = await self._connected()
        try:
            async with asyncio.timeout(timeout):
                return await connection.call(name, arguments)
        except TimeoutError:
            raise ServiceTimeout(f"{self.endpoint.place} did not answer {name} in {timeout:g} s.", may_have_run=True) from None

    async def aclose(self) -> None:
        self._closed = True
        await asyncio.gather(*(connection.aclose() for connection in tuple(self._open)))

    async def _connected(self) -> Connection:
        if self._closed:
            raise ServiceUnreachable(f"The session with {self.endpoint.place} is closed.")
        connection = self._connection
        if connection is None or not connection.is_usable:
            connection = self._connection = self._connect()
        await connection.ready()
        return connection

    def _connect(self) -> Connection:
        from agent.mcp.connection import Connection  # noqa: PLC0415  the SDK costs half a second, which `manage.py` must not pay

        connection = Connection(self.endpoint, self._egress, self._limits)
        self._open.add(connection)
        connection.owner.add_done_callback(lambda _: self._open.discard(connection))
        return connection

    def _retire(self) -> None:
        if self._connection is not None:
            self._connection.retire()

    async def _list(self) -> list[ToolDefinition]:
        connection = await self._connected()
        try:
            async with asyncio.timeout(self._limits.list_seconds):
                return await self._collect(connection)
        except TimeoutError:
            raise ServiceTimeout(f"{self.endpoint.place} did not list its tools in {self._limits.list_seconds:g} s.") from None

    async def _collect(self, connection: Connection) -> list[ToolDefinition]:
        found: dict[str, ToolDefinition] = {}
        room, cursor = self._limits.definition_bytes, None
        for _ in range(self._limits.pages):
            page = await connection.list_page(cursor)
            for tool in page.tools:
                if not is_usable_name(tool.name):
                    logger.warning("service %s has a tool that cannot be called: %r", self.endpoint.key, tool.name[:200])
                    continue
                definition, size = read_tool(tool)
                room -= size
                if room < 0 or len(found) >= self._limits.tools:
                    logger.warning("service %s lists more tools than we take; the first %d are kept", self.endpoint.key, len(found))
                    return list(found.values())
                found.setdefault(definition.name, definition)
            cursor = page.next_cursor
            if cursor is None:
                break
        return list(found.values())
