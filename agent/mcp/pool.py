"""Sessions with services, kept open across runs. One pool belongs to one event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakValueDictionary

from agent.mcp.client import ServiceSession
from agent.mcp.errors import ServiceUnauthorized, ServiceUnreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from agent.mcp.client import Endpoint
    from agent.mcp.definitions import ToolListing
    from agent.mcp.limits import Limits
    from llmconfig.net import EgressPolicy

Reveal: TypeAlias = "Callable[[], Awaitable[Endpoint]]"


class ServicePool:
    """max_sessions: beyond it the session unused for longest gives way; when all are busy, a further one is refused.

    held: the keys of its sessions; it may be read from any thread.
    """

    def __init__(self, egress: EgressPolicy, *, limits: Limits | None = None, max_sessions: int = 256) -> None:
        self._egress, self._limits, self._max_sessions = egress, limits, max_sessions
        self._sessions: dict[str, ServiceSession] = {}  # the least recently asked for comes first
        self._revealing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._farewells: set[asyncio.Task[None]] = set()
        self._closed = False
        self.held: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._sessions)

    async def session(self, endpoint: Endpoint, reveal: Reveal | None = None) -> ServiceSession:
        """The connected session of `endpoint.key`. Ask for each call; a warm one costs a dictionary look-up.

        reveal: opens a sealed endpoint when there is no session yet; of several calls that want one at once, one alone asks. What it
        answers may have newer credentials, and so another key.
        Raises a ServiceError, within `Limits.connect_seconds`, when it cannot be opened; others do not wait for that.
        """
        session = self._known(endpoint)
        if session is None and endpoint.is_sealed:
            async with self._revealing.setdefault(endpoint.key, asyncio.Lock()):
                session = self._known(endpoint) or await self._revealed(endpoint, reveal)
        elif session is None:
            session = self._made(endpoint)
        await session.connect()
        return session

    def _known(self, endpoint: Endpoint) -> ServiceSession | None:
        """The session of this endpoint, now the most recently asked for. One with other credentials under the same key goes."""
        if self._closed:
            raise ServiceUnreachable("The pool is closed.")
        session = self._sessions.pop(endpoint.key, None)
        if session is not None and not endpoint.is_at(session.endpoint):
            self._dismiss(session)
            return None
        if session is not None:
            self._sessions[endpoint.key] = session
        return session

    async def _revealed(self, endpoint: Endpoint, reveal: Reveal | None) -> ServiceSession:
        if reveal is None:
            raise ServiceUnauthorized("Nobody opens the token of this service.")
        opened = await reveal()
        return self._known(opened) or self._made(opened)

    def _made(self, endpoint: Endpoint) -> ServiceSession:
        self._make_room()
        session = self._sessions[endpoint.key] = ServiceSession(endpoint, self._egress, self._limits)
        self.held = frozenset(self._sessions)
        return session

    def evict(self, stale: Iterable[str]) -> None:
        """Drop these once nothing is under way in them: a busy one is tried again with the next call of this."""
        for key in stale:
            session = self._sessions.get(key)
            if session is not None and not session.is_busy:
                self.forget(key)

    def forget(self, key: str) -> None:
        """Drop a session whose service was deleted or whose credentials were replaced. Its calls in flight fail."""
        session = self._sessions.pop(key, None)
        self.held = frozenset(self._sessions)
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
