"""Pages of an organization that requires MFA lead a member without it to where it is set up. The API answers 403 (rest/permissions.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.shortcuts import redirect

from llmconfig.tenancy.caller import find_caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

_OPEN: Final = ("/accounts/", "/api/", "/static/", "/healthz", "/readyz", "/metrics", "/organization/switch/", "/organization/new/")
"""Another organization of the person's is none of this one's business: the way there stays open."""


class RequiredMFA:
    """Costs no query of its own: a page asks for the caller anyway, and MFA comes with the membership."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if request.path.startswith(_OPEN) or not request.user.is_authenticated:
            return None
        caller = find_caller(request)
        return redirect("mfa_index") if caller is not None and caller.lacks_mfa else None
