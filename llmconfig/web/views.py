"""The providers page, a shell whose data the browser reads from the REST API; and what to do about a forgotten password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from llmconfig.tenancy.pages import member_required

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@require_safe
@member_required
@ensure_csrf_cookie
def providers(request: HttpRequest) -> HttpResponse:
    return render(request, "settings/providers.html", {"section": "providers"})


@require_safe
def password_reset(request: HttpRequest) -> HttpResponse:
    """In place of allauth's, which promises a mail: routekit sends none."""
    return render(request, "account/password_reset.html")
