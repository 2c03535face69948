"""Template context: the organization that the page is about, its role for the reader, and those to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmconfig.tenancy.caller import find_caller, memberships_of

if TYPE_CHECKING:
    from django.http import HttpRequest


def organization(request: HttpRequest) -> dict[str, Any]:
    """`organization` and `caller`, both None for anonymous readers; `organizations`, to switch between."""
    caller = find_caller(request) if hasattr(request, "user") else None
    others = [membership.organization for membership in memberships_of(request)] if caller else []
    return {"organization": caller.organization if caller else None, "caller": caller, "organizations": others}
