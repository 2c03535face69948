"""The ASGI entry point: `uvicorn routekit.asgi:application`."""

from __future__ import annotations

import asyncio
import os
import threading

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "routekit.settings")

from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Any, Final

import django  # settings first
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core import signals
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections, reset_queries

from routekit.errors import API, too_large

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

ANONYMOUS_BODY_BYTES: Final = 64 * 1024
"""Of a request without a token and without a cookie: more than any form that such a one may send."""


class OneHopHandler(ASGIHandler):
    """Middleware and views run in one hop to one of a few threads, each with a database connection of its own.

    All our views are plain functions of a request. Django's own chain would hop to a thread and back for every middleware, start
    a thread for every request and open a connection in it: more work than most requests, and with a burst of them hundreds
    of threads that contend. A streaming response still streams on the event loop and holds no thread.
    """

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._threads = ThreadPoolExecutor(settings.WEB_THREADS, thread_name_prefix="request")
        self._respond = sync_to_async(self._in_thread, thread_sensitive=False, executor=self._threads)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self.handle(scope, receive, send)
        else:
            raise ValueError(f"Only HTTP is served, not {scope['type']}.")

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        await super().handle(scope, _Receive(receive, most=_most_bytes(scope)), send)

    async def read_body(self, receive: Any) -> IO[bytes]:
        """No further than the largest body that any view takes, or little of one whose sender does not even say who they are: what is
        longer would fill the disk before anyone is asked.
        """
        left = receive.most

        async def bounded() -> Any:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            return message if left >= 0 else {"type": "http.request", "body": b"", "more_body": False}

        body: Any = await super().read_body(bounded)
        body.is_cut = receive.is_enough = left < 0
        return body  # type: ignore[no-any-return]

    async def _live(self, receive: Any, send: Any) -> None:
        """The server has started, or stops. What the first message needs is imported meanwhile."""
        while (await receive())["type"] == "lifespan.startup":
            threading.Thread(target=_preload, name="routekit-preload", daemon=True).start()
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    def create_request(self, scope: Any, body_file: IO[bytes]) -> Any:
        """A body sent in chunks states no length, and REST framework takes a request without one for a request without a body."""
        if getattr(body_file, "is_cut", False) and not _is_refused_unread(scope):
            return None, too_large(settings.MAX_BODY_BYTES)
        request, problem = super().create_request(scope, body_file)
        if request is not None and "CONTENT_LENGTH" not in request.META:
            request.META["CONTENT_LENGTH"] = str(body_file.seek(0, os.SEEK_END))
            body_file.seek(0)
        return request, problem

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await self._respond(request)

    def _in_thread(self, request: HttpRequest) -> HttpResponseBase:
        reset_queries()
        close_old_connections()
        try:
            return self.get_response(request)
        finally:
            close_old_connections()


class _Receive:
    """A server's `receive`, with how many bytes of a body may be read from it. is_enough: the rest of it is left with the server."""

    def __init__(self, receive: Any, *, most: int) -> None:
        self._receive, self.most, self.is_enough = receive, most, False

    async def __call__(self) -> Any:
        if self.is_enough:
            await asyncio.Event().wait()  # Django listens for a disconnect, until it has answered
        return await self._receive()


def _most_bytes(scope: Any) -> int:
    most: int = settings.MAX_BODY_BYTES
    return most if _says_who(scope) else min(ANONYMOUS_BODY_BYTES, most)


def _says_who(scope: Any) -> bool:
    return any(name in (b"authorization", b"cookie") for name, _ in scope["headers"])


def _is_refused_unread(scope: Any) -> bool:
    """The API answers 401 to whoever does not say who they are, and looks at no body before."""
    return scope["path"].startswith(API) and not _says_who(scope)


def _preload() -> None:
    from agent.services import doorbell  # noqa: PLC0415  # slow, which is why this runs in the background

    doorbell.preload()


def _judge_kek() -> None:
    from llmconfig.services import warn_at_start  # noqa: PLC0415  # the server need not wait for it

    warn_at_start()


django.setup(set_prefix=False)
for signal in (signals.request_started, signals.request_finished):  # done above, in the thread that has the connections
    signal.disconnect(close_old_connections)
signals.request_started.disconnect(reset_queries)
application = OneHopHandler()
threading.Thread(target=_judge_kek, name="routekit-kek", daemon=True).start()
