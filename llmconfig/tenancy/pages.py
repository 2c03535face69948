"""The gate of every page: signed in, and a member of some organization. Who is in none is shown what to do about it."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.shortcuts import render

from llmconfig.tenancy.caller import find_caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

P = ParamSpec("P")


def member_required(view: Callable[Concatenate[HttpRequest, P], HttpResponse]) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """In place of `login_required`: 403 with a page that offers to found an organization, and says how to be invited to one."""

    @wraps(view)
    @login_required
    def gated(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if find_caller(request) is None:
            return render(request, "organization/none.html", status=403)
        return view(request, *args, **kwargs)

    return gated
