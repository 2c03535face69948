"""The organization and tokens pages, shells whose data the browser reads from the REST API; founding and switching are forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from llmconfig import services
from llmconfig.tenancy.audit import Actor
from llmconfig.tenancy.caller import SESSION_ORGANIZATION, Action, allows, caller_of, ip_of
from llmconfig.tenancy.errors import ServiceError
from llmconfig.tenancy.models import Membership
from llmconfig.tenancy.pages import member_required
from llmconfig.tenancy.rest.serializers import unstorable

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

_LONGEST_NAME = 200


@require_safe
@member_required
@ensure_csrf_cookie
def organization(request: HttpRequest) -> HttpResponse:
    return render(request, "organization/organization.html", {"section": "organization", **_rights(request)})


@require_safe
@member_required
@ensure_csrf_cookie
def tokens(request: HttpRequest) -> HttpResponse:
    return render(request, "settings/tokens.html", {"section": "tokens", **_rights(request)})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def found(request: HttpRequest) -> HttpResponse:
    """Also for who is in no organization, and to whom nothing else is open."""
    if request.method != "POST":
        return render(request, "organization/new.html")
    user: Any = request.user
    name = request.POST.get("name", "").strip()
    problem = unstorable(name) or ("" if 0 < len(name) <= _LONGEST_NAME else f"Between 1 and {_LONGEST_NAME} characters.")
    if not problem:
        try:
            made = services.found_organization(user=user, name=name, actor=Actor.user(user, ip_of(request)))
        except ServiceError as error:
            problem = error.detail
        else:
            request.session[SESSION_ORGANIZATION] = str(made.pk)
            return HttpResponseRedirect("/")
    return render(request, "organization/new.html", {"name": name, "errors": [problem]}, status=400)


@require_POST
@login_required
def switch(request: HttpRequest) -> HttpResponse:
    """To the chat: what the page before was about belongs to the other organization."""
    user: Any = request.user
    try:
        services.choose_organization(request.session, user, UUID(request.POST.get("id", "")))
    except (ValueError, Membership.DoesNotExist):
        raise Http404 from None
    return HttpResponseRedirect("/")


def _rights(request: HttpRequest) -> dict[str, bool]:
    """What the page offers; whether it is allowed, the API decides."""
    caller = caller_of(request)
    return {
        "is_admin": allows(caller, Action.MANAGE_ORGANIZATION),
        "is_owner": allows(caller, Action.OWN_ORGANIZATION),
        "may_have_tokens": allows(caller, Action.MANAGE_OWN),
    }
