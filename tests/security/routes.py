"""Every route that the resolver knows, and addresses for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.urls import get_resolver

if TYPE_CHECKING:
    from collections.abc import Iterator

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
