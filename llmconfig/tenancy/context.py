"""Template context: the organization that the page is about, its reader, and whether the audit trail is among what there is to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmconfig.tenancy.caller import Action, allows, find_caller, memberships_of

if TYPE_CHECKING:
    from django.http import HttpRequest


def organization(request: HttpRequest) -> dict[str, Any]:
    """`organization` and `caller`, both None for anonymous readers; `organizations`, to switch between; and what there is to do for them.

    What a page offers follows these; whether it is allowed, the API decides.
    """
    caller = find_caller(request) if hasattr(request, "user") else None
    return {
        "organization": caller.organization if caller else None,
        "caller": caller,
        "organizations": [membership.organization for membership in memberships_of(request)] if caller else [],
        "may_read_audit": caller is not None and allows(caller, Action.READ_AUDIT),
        "may_have_own": caller is not None and allows(caller, Action.MANAGE_OWN),
        "may_share": caller is not None and allows(caller, Action.SHARE),
    }
