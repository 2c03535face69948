"""One odd entry in an answer costs only itself: the SDK validates an answer whole, so what it would refuse is taken out before it.

Sits between transport and SDK, where an answer is JSON already and not yet judged.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Self, cast

from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse
from mcp_types.methods import validate_server_result
from mcp_types.version import LATEST_HANDSHAKE_VERSION
from pydantic import ValidationError

from agent.mcp.definitions import is_usable_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextvars import Context
    from types import TracebackType

    from mcp.client._transport import Transport as SDKTransport
    from mcp.client._transport import TransportStreams
    from mcp.shared.message import SessionMessage

LEFT_OUT: Final = "routekit/left_out"
"""Key in a listing's `_meta`: the names of entries that were no tools, as the service wrote them."""

_SHOWN_NAME = 60
_UNREAD = ("_meta", "annotations", "icons")  # of a part; an odd one must not cost the part


@asynccontextmanager
async def leniently(transport: SDKTransport) -> AsyncIterator[TransportStreams]:
    """The transport, its answers to `tools/list` and `tools/call` made such that the SDK takes them."""
    async with transport as (reading, writing):
        asked: dict[str, str] = {}
        yield _Reading(reading, asked), _Writing(writing, asked)


def repair(method: str, result: dict[str, Any]) -> None:
    """Make an answer's odd entries harmless, in place. What is no answer of this kind at all stays as it is, for the SDK to refuse."""
    if method == "tools/list" and isinstance(result.get("tools"), list):
        _repair_listing(result)
    elif method == "tools/call" and isinstance(result.get("content"), list | None) and _is_outcome(result):
        _repair_outcome(result)


def _repair_listing(result: dict[str, Any]) -> None:
    entries = cast("list[object]", result["tools"])
    tools = [_tool(entry) for entry in entries]
    if not _are_tools(tools):
        tools = [tool if tool is not None and _are_tools([tool]) else None for tool in tools]
    names = [_name(entry) for entry, tool in zip(entries, tools, strict=True) if tool is None]
    result["tools"] = [tool for tool in tools if tool is not None]
    result["_meta"] = {LEFT_OUT: names}


def _tool(entry: object) -> dict[str, Any] | None:
    """Of an entry what we read. A schema that names no type is one of an object, as arguments always are."""
    if not isinstance(entry, dict) or not isinstance(name := entry.get("name"), str) or not is_usable_name(name):
        return None
    schema = entry.get("inputSchema")
    if schema is None or isinstance(schema, dict):
        schema = {"type": "object"} | (schema or {})
    known = {key: entry[key] for key in ("title", "description", "annotations") if entry.get(key) is not None}
    return {"name": name, "inputSchema": schema} | known


def _are_tools(tools: list[dict[str, Any] | None]) -> bool:
    try:
        validate_server_result("tools/list", LATEST_HANDSHAKE_VERSION, {"tools": tools})
    except ValidationError:
        return False
    return True


def _name(entry: object) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name[:_SHOWN_NAME] if isinstance(name, str) else ""


def _is_outcome(result: Mapping[str, Any]) -> bool:
    """Not a question in the middle of a call."""
    return "inputRequests" not in result and result.get("resultType", "complete") == "complete"


def _repair_outcome(result: dict[str, Any]) -> None:
    """The tool has run. What it brought is kept where we know it, and named where we do not."""
    parts = cast("list[object]", result.get("content") or [])
    result["content"] = [_part(part) for part in parts]
    structured = result.get("structuredContent")
    if structured is not None and not isinstance(structured, dict):  # an object in some versions, any JSON in others
        del result["structuredContent"]
        if not any(part["type"] == "text" for part in result["content"]):
            result["content"].append({"type": "text", "text": json.dumps(structured, ensure_ascii=False)})
    result["isError"] = bool(result.get("isError"))
    result.setdefault("resultType", "complete")


def _part(part: object) -> dict[str, Any]:
    if isinstance(part, dict):
        kept = {key: value for key, value in part.items() if key not in _UNREAD}
        if _is_part(kept):
            return kept
    kind = part.get("type") if isinstance(part, dict) else None
    named = f"type {kind[:_SHOWN_NAME]}" if isinstance(kind, str) and kind else "no type"
    return {"type": "text", "text": f"[a part of {named} left out, it cannot be shown]"}


def _is_part(part: dict[str, Any]) -> bool:
    try:
        validate_server_result("tools/call", LATEST_HANDSHAKE_VERSION, {"content": [part]})
    except ValidationError:
        return False
    return True


class _Stream:
    """Passes on what it does not change. asked: the method of each request that waits for its answer, by id."""

    def __init__(self, inner: Any, asked: dict[str, str]) -> None:
        self._inner, self._asked = inner, asked

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool | None:
        return cast("bool | None", await self._inner.__aexit__(kind, error, trace))


class _Writing(_Stream):
    async def send(self, item: SessionMessage, /) -> None:
        message = item.message
        if isinstance(message, JSONRPCRequest):
            self._asked[str(message.id)] = message.method
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            self._asked.pop(str((message.params or {}).get("requestId")), None)
        await self._inner.send(item)


class _Reading(_Stream):
    @property
    def last_context(self) -> Context | None:
        """The SDK's own streams say in whose context a message came."""
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        return self._seen(await self._inner.receive())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return self._seen(await self._inner.__anext__())

    def _seen(self, item: SessionMessage | Exception) -> SessionMessage | Exception:
        message = None if isinstance(item, Exception) else item.message
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            method = self._asked.pop(str(message.id), None)
            if method is not None and isinstance(message, JSONRPCResponse):
                repair(method, message.result)
        return item
