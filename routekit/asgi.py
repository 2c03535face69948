"""The ASGI entry point: `uvicorn routekit.asgi:application`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "routekit.settings")

import django  # settings first
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase


class OneHopHandler(ASGIHandler):
    """Middleware and views run in one hop to the request's thread.

    All our views are plain functions of a request; Django's asynchronous chain would hop to a thread and back for every
    middleware, which cost more than the requests themselves. A streaming response still streams on the event loop.
    """

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


django.setup(set_prefix=False)
application = OneHopHandler()
