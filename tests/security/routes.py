"""Every route that the resolver knows, addresses for them, and how they are asked."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from asgiref.sync import async_to_sync
from django.urls import get_resolver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def every_route(resolver: Any = None, prefix: str = "") -> Iterator[str]:
    for pattern in (resolver or get_resolver()).url_patterns:
        route = f"{prefix}{pattern.pattern}".replace("<uuid:", "<id:")
        if hasattr(pattern, "url_patterns"):
            yield from every_route(pattern, route)
        else:
            yield route


def address(route: str, ids: dict[str, Any] | None = None) -> str:
    return "/" + _PARAMETER.sub(lambda found: quote(str((ids or {})[found[1]])), route)


def ask(client: Client, method: str, url: str, body: Any = None) -> Any:
    sent = {} if method in SAFE else {"data": json.dumps(body or {}), "content_type": "application/json"}
    response = client.generic(method, url, **sent)
    if response.streaming and "Content-Length" in response:  # a file; of a stream of events its beginning says enough
        list(response.streaming_content) if method == "HEAD" else async_to_sync(_read)(response)
    return response


async def _read(response: Any) -> None:
    async for _ in response.streaming_content:
        pass
