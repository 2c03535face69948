"""The neutral name of a tool: `service_slug__tool`. Equal tool names of two services stay apart."""

from __future__ import annotations

import re
from typing import Final

SEPARATOR: Final = "__"

_SLUG = re.compile(r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*")


def qualify(slug: str, tool: str) -> str:
    """The neutral name. Raises ValueError for a slug that could not be told from the tool again, or an empty tool."""
    if not _SLUG.fullmatch(slug):
        raise ValueError(f"{slug!r} is no service slug: letters and digits, single - or _ between them")
    if not tool:
        raise ValueError("a tool has a name")
    return f"{slug}{SEPARATOR}{tool}"


def split(name: str) -> tuple[str, str]:
    """(slug, tool) of a neutral name; the tool's own name may contain the separator. Raises ValueError for any other text."""
    slug, separator, tool = name.partition(SEPARATOR)
    if not separator or not tool or not _SLUG.fullmatch(slug):
        raise ValueError(f"{name!r} is not the name of a service's tool")
    return slug, tool
