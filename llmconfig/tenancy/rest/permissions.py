"""The gate of every REST view: signed in, a member, and allowed what the view says its method does. Who says nothing is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission

from llmconfig.tenancy.caller import Action, allows, find_caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_framework.request import Request
    from rest_framework.views import APIView

_NO_ACTION_OF_ITS_OWN: Final = frozenset({"head", "options", "trace"})


class MFARequired(PermissionDenied):
    """Of a session and of a token alike: a token is no way around the policy of its organization."""

    default_code = "mfa_required"
    default_detail = "This organization requires MFA. Sign in with a browser and set it up under Account, Multi-factor authentication."


class IsMember(BasePermission):
    """A view says what its methods do: `read_action` of GET, `write_action` of all that change something."""

    message = "Your role in this organization, or your token's scopes, do not allow this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller = find_caller(request)
        if caller is None:
            return False
        if caller.lacks_mfa:
            raise MFARequired()
        method = request.method or ""
        if not _knows(view, method):
            return True  # whatever they ask for, the answer is 405
        action = action_of(view, method)
        return action is not None and allows(caller, action)


class Public(BasePermission):
    """Answers anyone: for what is the same for everybody, and said so on purpose."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return True


class SignedIn(BasePermission):
    """Any person who is signed in, a member of an organization or of none: for what is about themselves, and said so on purpose.

    A token is bound to an organization, and lets nobody in who is no member of that.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        return find_caller(request) is not None or (request.auth is None and bool(request.user and request.user.is_authenticated))


def action_of(view: Any, method: str) -> Action | None:
    """What a method of a view, or of a view's class, does; None where the view does not say. OPTIONS is for who may read, or else write."""
    read: Action | None = getattr(view, "read_action", None)
    write: Action | None = getattr(view, "write_action", None)
    if method == "OPTIONS":
        return read or write
    return read if method in SAFE_METHODS else write


def undeclared(view: type[APIView]) -> list[str]:
    """Methods that a view has and says nothing about: they are refused to everyone, which a system check calls a mistake."""
    gates = {permission.__name__ for permission in view.permission_classes if isinstance(permission, type)}
    if gates & {Public.__name__, SignedIn.__name__}:
        return []
    methods = list(_methods(view))
    return [method for method in methods if action_of(view, method) is None] if IsMember.__name__ in gates else methods


def _methods(view: Any) -> Iterator[str]:
    return (name.upper() for name in view.http_method_names if name not in _NO_ACTION_OF_ITS_OWN and hasattr(view, name))


def _knows(view: Any, method: str) -> bool:
    name = "get" if method == "HEAD" else method.lower()
    return name in view.http_method_names and hasattr(view, name)
