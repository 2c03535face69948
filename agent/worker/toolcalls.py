"""Calls a tool at its service and turns every fault into a result that the model can read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from agent.mcp.errors import ServiceError
from llmconfig.llm import JSONObject, Text, ToolResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.loop.plan import OfferedTool
    from agent.mcp.endpoint import Endpoint
    from agent.mcp.pool import ServicePool

logger = logging.getLogger(__name__)


class ServiceToolCaller:
    """Of one run: its services by id, reached through the worker's pooled sessions."""

    def __init__(self, pool: ServicePool, endpoints: Mapping[str, Endpoint]) -> None:
        self._pool, self._endpoints = pool, endpoints

    async def __call__(self, tool: OfferedTool, call_id: str, arguments: JSONObject) -> ToolResult:
        try:
            session = await self._pool.session(self._endpoints[tool.endpoint])
            outcome = await session.call(tool.name, arguments, timeout=tool.timeout_s)
        except ServiceError as error:
            return ToolResult(call_id, (Text(error.message),), is_error=True)
        except Exception:
            logger.exception("Tool %s of service %s failed inside routekit", tool.name, tool.service)
            return ToolResult(call_id, (Text("The call failed inside routekit; its log has the details."),), is_error=True)
        return ToolResult(call_id, outcome.parts, outcome.is_error)
