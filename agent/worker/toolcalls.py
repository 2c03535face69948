"""Calls a tool at its service and turns every fault into a result that the model can read."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from agent.loop.intents import BlockTool, FenceLost, NoteTools, RevealService, Unopened
from agent.loop.tools import CHANGED
from agent.mcp.errors import ServiceError, ServiceUnauthorized
from llmconfig.llm import JSONObject, Text, ToolResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.loop.plan import OfferedTool
    from agent.loop.ports import Journal
    from agent.mcp.client import ServiceSession, ToolOutcome
    from agent.mcp.definitions import ToolDefinition
    from agent.mcp.endpoint import Endpoint
    from agent.mcp.pool import ServicePool

logger = logging.getLogger(__name__)
UNSURE = "It may have run all the same: find out before you call it again."


class ServiceToolCaller:
    """Of one claim of a run: its services by id, reached through the worker's pooled sessions.

    A service is asked for its tools before its first call: a tool that it defines otherwise than was approved is not called,
    and one that is not among the known is stored for a person to approve.
    """

    def __init__(self, pool: ServicePool, endpoints: Mapping[str, Endpoint], journal: Journal, known: Iterable[OfferedTool] = ()) -> None:
        self._pool, self._endpoints, self._journal = pool, dict(endpoints), journal
        self._known = {(tool.endpoint, tool.name) for tool in known}
        self._listed: dict[str, Mapping[str, ToolDefinition]] = {}
        self._listing = defaultdict[str, asyncio.Lock](asyncio.Lock)

    async def __call__(self, tool: OfferedTool, call_id: str, arguments: JSONObject) -> ToolResult:
        try:
            outcome = await self._call(tool, arguments)
        except FenceLost:
            raise
        except ServiceError as error:
            told = f"{error.detail} {UNSURE}" if error.may_have_run else error.message
            return ToolResult(call_id, (Text(told),), is_error=True)
        except Exception:
            logger.exception("Tool %s of service %s failed inside routekit", tool.name, tool.service)
            return ToolResult(call_id, (Text("The call failed inside routekit; its log has the details."),), is_error=True)
        if outcome is None:
            return ToolResult(call_id, (Text(CHANGED),), is_error=True)
        return ToolResult(call_id, outcome.parts, outcome.is_error)

    async def _call(self, tool: OfferedTool, arguments: JSONObject) -> ToolOutcome | None:
        """What the tool answered; None when it is not any more what was approved, and so is blocked."""
        session = await self._session(tool.endpoint)
        found = (await self._tools(session, tool.endpoint)).get(tool.name)
        if found is not None and found.definition_hash != tool.definition_hash:
            reads = await self._journal.commit(BlockTool(tool.endpoint, found))
            if reads is None or (tool.repeatable and not reads):
                return None
        return await session.call(tool.name, arguments, timeout=tool.timeout_s)

    async def _session(self, service: str) -> ServiceSession:
        async def reveal() -> Endpoint:
            answer: Endpoint | Unopened = await self._journal.commit(RevealService(service))
            if isinstance(answer, Unopened):
                raise ServiceUnauthorized(answer.detail)
            return answer

        session = await self._pool.session(self._endpoints[service], reveal)
        self._endpoints[service] = session.endpoint.sealed()  # under the key it has by now
        return session

    async def _tools(self, session: ServiceSession, service: str) -> Mapping[str, ToolDefinition]:
        endpoint = session.endpoint.key  # another address or token is asked anew
        async with self._listing[endpoint]:  # parallel first calls ask once
            if endpoint not in self._listed:
                found = await session.list_tools()
                new = tuple(definition for definition in found if (service, definition.name) not in self._known)
                if new:
                    await self._journal.commit(NoteTools(service, new))
                self._listed[endpoint] = {definition.name: definition for definition in found}
        return self._listed[endpoint]
