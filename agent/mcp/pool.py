"""Sessions with services, kept open across runs. One pool belongs to one event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agent.mcp.client import ServiceSession
from agent.mcp.errors import ServiceUnreachable

if TYPE_CHECKING:
    from agent.mcp.client import Endpoint
    from agent.mcp.definitions import ToolListing
    from agent.mcp.limits import Limits
    from llmconfig.net import EgressPolicy


class ServicePool:
    """max_sessions: beyond it the session unused for longest gives way; when all are busy, a further one is refused."""

    def __init__(self, egress: EgressPolicy, *, limits: Limits | None = None, max_sessions: int = 256) -> None:
        self._egress, self._limits, self._max_sessions = egress, limits, max_sessions
        self._sessions: dict[str, ServiceSession] = {}  # the least recently asked for comes first
        self._farewells: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._sessions)

    async def session(self, endpoint: Endpoint) -> ServiceSession:
        """The connected session of `endpoint.key`. Ask for each call; a warm one costs a dictionary look-up.

        Raises a ServiceError, within `Limits.connect_seconds`, when it cannot be opened; others do not wait for that.
        """
        if self._closed:
            raise ServiceUnreachable("The pool is closed.")
        session = self._sessions.pop(endpoint.key, None)
        if session is not None and session.endpoint != endpoint:
            self._dismiss(session)
            session = None
        if session is None:
            self._make_room()
            session = ServiceSession(endpoint, self._egress, self._limits)
        self._sessions[endpoint.key] = session
        await session.connect()
        return session

    def forget(self, key: str) -> None:
        """Drop a session whose service was deleted or whose credentials were replaced. Its calls in flight fail."""
        session = self._sessions.pop(key, None)
        if session is not None:
            self._dismiss(session)

    async def aclose(self) -> None:
        self._closed = True
        sessions, self._sessions = list(self._sessions.values()), {}
        await asyncio.gather(*(session.aclose() for session in sessions), *self._farewells)

    def _make_room(self) -> None:
        if len(self._sessions) < self._max_sessions:
            return
        for key, session in self._sessions.items():
            if not session.is_busy:
                self.forget(key)
                return
        raise ServiceUnreachable(f"All {self._max_sessions} connections to services are in use.", advice="Try again in a moment.")

    def _dismiss(self, session: ServiceSession) -> None:
        farewell = asyncio.create_task(session.aclose())
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)


async def probe(endpoint: Endpoint, egress: EgressPolicy, *, limits: Limits | None = None) -> ToolListing:
    """Try a service: one connect, one listing, everything closed again. Raises a ServiceError."""
    session = ServiceSession(endpoint, egress, limits)
    try:
        return await session.list_tools()
    finally:
        await session.aclose()
