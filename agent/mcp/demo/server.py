"""The demo service: a real MCP server of three small services (tickets, customers, knowledge base) of one software company."""

from __future__ import annotations

import gc
import signal
import socket
from typing import TYPE_CHECKING

import uvicorn
from mcp.server.mcpserver import MCPServer
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from agent.mcp.demo import articles, customers, tickets

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request

    from agent.mcp.demo.store import Store

_INSTRUCTIONS = (
    "Support desk of a software company. Tickets (T-1030 …) belong to customers (C-201 …); help articles (A-1 …) often hold the answer. "
    "Search first, then read by id."
)
_GRACE_SECONDS = 1


def build_app(store: Store) -> Starlette:
    """Stateless, plain JSON answers: no session to lose when it restarts. The SDK refuses Host and Origin other than loopback."""
    server = MCPServer("demo", title="Demo service", instructions=_INSTRUCTIONS, version="1.0", log_level="WARNING")
    for service in (tickets, customers, articles):
        service.register(server, store)

    app = server.streamable_http_app(stateless_http=True, json_response=True, host="127.0.0.1")
    app.routes.append(Route("/healthz", _healthz))
    return app


async def _healthz(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n")


def serve(store: Store, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; streams that are still open then are cut after a second. Port 0 lets the system choose.

    Raises OSError when it cannot listen there.
    """
    config = uvicorn.Config(
        build_app(store),
        loop="asyncio",
        http="h11",
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn stops at them, then raises them again: being stopped is no failure
    gc.freeze()  # else the interpreter spends half a second at exit on looking through the SDK's models
    _AnnouncedServer(config).run(sockets=[_listen(host, port)])


class _AnnouncedServer(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            print(f"Listening on http://{f'[{host}]' if ':' in host else host}:{port}/mcp", flush=True)  # noqa: T201  whoever starts us waits for it


def _listen(host: str, port: int) -> socket.socket:
    # The protocol is named, since asyncio switches Nagle's delay (40 ms an answer) off only for sockets that say TCP.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
