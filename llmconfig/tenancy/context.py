"""Template context: the organization that the page is about, its role for the reader, and those to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmconfig.tenancy.caller import find_caller

if TYPE_CHECKING:
    from django.http import HttpRequest


def organization(request: HttpRequest) -> dict[str, Any]:
    """`organization` and `caller`; both None for anonymous readers."""
    caller = find_caller(request) if hasattr(request, "user") else None
    return {"organization": caller.organization if caller else None, "caller": caller}
