"""The gate of every REST view: signed in, a member, and allowed the view's action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.permissions import SAFE_METHODS, BasePermission

from llmconfig.tenancy.caller import Action, allows, find_caller

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class IsMember(BasePermission):
    """A view says what its methods do with `read_action` and `write_action`; left out, they are SEE and MANAGE_OWN."""

    message = "Your role in this organization, or your token's scopes, do not allow this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller = find_caller(request)
        if caller is None:
            return False
        return allows(caller, action_of(view, request.method or "GET"))


def action_of(view: Any, method: str) -> Action:
    if method in SAFE_METHODS:
        action: Action = getattr(view, "read_action", Action.SEE)
    else:
        action = getattr(view, "write_action", Action.MANAGE_OWN)
    return action
