"""A service as the rest of routekit sees it: list its tools, call one. Connects when needed, and again after it was cut off."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from agent.mcp.definitions import ToolDefinition, ToolListing, read_tool
from agent.mcp.endpoint import Endpoint, Transport
from agent.mcp.errors import ServiceTimeout, ServiceUnreachable, SessionForgotten
from agent.mcp.limits import Limits
from agent.mcp.outcome import ToolOutcome, read_result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp_types import CallToolResult

    from agent.mcp.connection import Connection
    from llmconfig.net import EgressPolicy

__all__ = ["Endpoint", "ServiceSession", "ToolOutcome", "Transport", "preload"]

logger = logging.getLogger(__name__)
_NAMED = 5  # of what is left out; status_detail has 500 characters


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

    async def list_tools(self) -> ToolListing:
        """All tools, page by page, up to `Limits.tools` and `Limits.definition_bytes`; equal names count once, what is no tool not."""
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

    async def _list(self) -> ToolListing:
        connection = await self._connected()
        try:
            async with asyncio.timeout(self._limits.list_seconds):
                return await self._collect(connection)
        except TimeoutError:
            raise ServiceTimeout(f"{self.endpoint.place} did not list its tools in {self._limits.list_seconds:g} s.") from None

    async def _collect(self, connection: Connection) -> ToolListing:
        found: dict[str, ToolDefinition] = {}
        no_tools: list[str] = []
        room, cursor = self._limits.definition_bytes, None
        for _ in range(self._limits.pages):
            page, strange = await connection.list_page(cursor)
            no_tools += strange
            for tool in page.tools:
                if self.endpoint.scrub(tool.name) != tool.name:  # a name is an address: it cannot be masked
                    no_tools.append(tool.name)
                    continue
                definition, size = read_tool(tool, self.endpoint.scrub)
                room -= size
                if room < 0 or len(found) >= self._limits.tools:
                    return self._listing(found, no_tools, is_cut=True)
                found.setdefault(definition.name, definition)
            cursor = page.next_cursor
            if cursor is None:
                return self._listing(found, no_tools, is_cut=False)
        return self._listing(found, no_tools, is_cut=True)

    def _listing(self, found: Mapping[str, ToolDefinition], no_tools: Sequence[str], *, is_cut: bool) -> ToolListing:
        listing = ToolListing(found.values())
        cut = [f"It lists more tools than are taken: the first {len(found):,} are used."] if is_cut else []
        listing.left_out = self.endpoint.scrub(" ".join([*_say_left_out(no_tools), *cut]))
        if listing.left_out:
            logger.warning("service %s: %s", self.endpoint.key, listing.left_out)
        return listing


def _say_left_out(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    shown = [repr(name) if name else "one without a name" for name in dict.fromkeys(names)]
    more = [f"{len(shown) - _NAMED:,} more"] if len(shown) > _NAMED else []
    what = "1 entry of its list is" if len(names) == 1 else f"{len(names):,} entries of its list are"
    return [f"{what} left out, being no usable tool: {', '.join(shown[:_NAMED] + more)}."]
