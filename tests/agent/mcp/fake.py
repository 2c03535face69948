"""A service on loopback that behaves as badly as a test says: MCP of 2025-11-25 with sessions, spoken by hand."""

from __future__ import annotations

import asyncio
import itertools
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from starlette.applications import Starlette

    Answer = dict[str, Any] | web.StreamResponse

VERSION = "2025-11-25"


class FakeService:
    """on: method → coroutine of (request, message) that returns a JSON-RPC result, or a whole response."""

    def __init__(self) -> None:
        self.on: dict[str, Callable[[web.Request, dict[str, Any]], Awaitable[Answer]]] = {}
        self.every: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.arrived = asyncio.Condition()
        self.sessions: set[str] = set()
        self.url = ""
        self._numbers = itertools.count(1)

    def count(self, method: str) -> int:
        return sum(name == method for name, _ in self.seen)

    async def wait_for(self, method: str, times: int = 1) -> None:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: self.count(method) >= times)

    def tools(self, *tools: dict[str, Any]) -> None:
        async def answer(request: web.Request, message: dict[str, Any]) -> Answer:
            return {"tools": list(tools)}

        self.on["tools/list"] = answer

    def result(self, **result: Any) -> None:
        async def answer(request: web.Request, message: dict[str, Any]) -> Answer:
            return {"content": [], **result}

        self.on["tools/call"] = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        if self.every is not None and (whole := await self.every(request)) is not None:
            return whole
        if request.method == "DELETE":
            return web.Response(status=204)
        if request.method != "POST":
            return web.Response(status=405)
        message = await request.json()
        async with self.arrived:
            self.seen.append((message["method"], message))
            self.arrived.notify_all()
        return await self._answer(request, message)

    async def _answer(self, request: web.Request, message: dict[str, Any]) -> web.StreamResponse:
        method = message["method"]
        if method == "initialize":
            return self._opened(message)
        if method == "server/discover":
            return web.Response(status=400)
        if request.headers.get("mcp-session-id") not in self.sessions:
            return web.Response(status=404)
        if "id" not in message:
            return web.Response(status=202)
        answer = await self.on[method](request, message)
        return answer if isinstance(answer, web.StreamResponse) else reply(message, answer)

    def _opened(self, message: dict[str, Any]) -> web.Response:
        session = f"session-{next(self._numbers)}"
        self.sessions.add(session)
        response = reply(
            message,
            {"protocolVersion": VERSION, "capabilities": {"tools": {}}, "serverInfo": {"name": "fake", "version": "1"}},
        )
        response.headers["mcp-session-id"] = session
        return response


def reply(message: dict[str, Any], result: dict[str, Any]) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": f"does {name}", "inputSchema": {"type": "object"}, **more}


@asynccontextmanager
async def fake_service() -> AsyncIterator[FakeService]:
    service = FakeService()
    service.tools(tool("echo"))
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/mcp", service.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        service.url = f"http://{host}:{port}/mcp"
        yield service
    finally:
        await runner.cleanup()


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """The SDK's own server in a thread; yields its origin."""
    config = uvicorn.Config(app, port=0, log_level="error", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    listener.listen()  # so that a connect before the server runs waits for it
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
