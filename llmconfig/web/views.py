"""The providers and audit pages, shells whose data the browser reads from the REST API; and what to do about a forgotten password."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from llmconfig.tenancy.audit import Outcome
from llmconfig.tenancy.audit.refusals import note_refusal
from llmconfig.tenancy.caller import Action, allows, caller_of
from llmconfig.tenancy.pages import member_required

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

_MAX_ACTORS: Final = 500
_ACTIONS: Final = (
    ("config.,token.,keys.,kek.", "Keys and tokens"),
    ("tool_call.,grant.", "Tool calls"),
    ("service.,tool.", "Services and tools"),
    ("model.,route.,budget.", "Models, routes, budgets"),
    ("login.,mfa.", "Sign-in"),
    ("member.,organization.,policy.", "People and policy"),
    ("access.", "Refused requests"),
    ("audit.,usage.,admin.", "Audit, exports, admin"),
)


@require_safe
@member_required
@ensure_csrf_cookie
def providers(request: HttpRequest) -> HttpResponse:
    return render(request, "settings/providers.html", {"section": "providers"})


@require_safe
@member_required
@ensure_csrf_cookie
def audit(request: HttpRequest) -> HttpResponse:
    """For those who may read the trail; the others are told why they may not."""
    caller = caller_of(request)
    if not allows(caller, Action.READ_AUDIT):
        note_refusal(request, code="permission_denied", action=Action.READ_AUDIT)
        detail = "The audit trail is for auditors, admins and owners of an organization. An owner can give you that role."
        return render(request, "403.html", {"detail": detail}, status=HTTPStatus.FORBIDDEN)
    people = caller.organization.members.order_by("username").values_list("pk", "username")[:_MAX_ACTORS]
    return render(request, "audit/audit.html", {"section": "audit", "people": people, "actions": _ACTIONS, "outcomes": Outcome.choices})


@require_safe
def password_reset(request: HttpRequest) -> HttpResponse:
    """In place of allauth's, which promises a mail: routekit sends none."""
    return render(request, "account/password_reset.html")
