"""What a request gets that no view answered: a page for people, the API's envelope under /api/."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse, JsonResponse
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string

if TYPE_CHECKING:
    from django.http import HttpRequest

API: Final = "/api/"
RETRY_AFTER_S: Final = 5


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if isinstance(exception, DisallowedHost):
        detail = "This server does not answer to that name. Use the address that it printed, or add the name to ALLOWED_HOSTS."
        return _answer(request, HTTPStatus.BAD_REQUEST, "unknown_host", detail)
    return _answer(request, HTTPStatus.BAD_REQUEST, "parse_error", "This request cannot be understood.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, HTTPStatus.FORBIDDEN, "permission_denied", "You may not do this.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """`reason` is for the log, which Django writes: it tells a forger what was missing."""
    return _answer(request, HTTPStatus.FORBIDDEN, "permission_denied", "This page is too old, or cookies are off. Reload it and try again.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, HTTPStatus.NOT_FOUND, "not_found", "There is nothing here, or it is not yours to see.")


def too_large(limit: int) -> HttpResponse:
    """Of a body that was not read to its end, before there is a request."""
    detail = f"The request is larger than {limit:,} bytes. Send less at once."
    error = {"code": "request_too_large", "detail": detail, "attr": None}
    return JsonResponse({"type": "client_error", "errors": [error]}, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def server_error(request: HttpRequest) -> HttpResponse:
    """503 when what failed is the database or Valkey being away, which passes; otherwise 500."""
    import redis  # noqa: PLC0415  # loaded long since where Valkey can be what failed; commands start sooner

    if isinstance(sys.exception(), (OperationalError, InterfaceError, redis.ConnectionError, redis.TimeoutError)):
        response = _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "A part of routekit is away. Try again in a moment.")
        response["Retry-After"] = str(RETRY_AFTER_S)
        return response
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, "error", "Something went wrong on our side. Try again in a moment.")


def _answer(request: HttpRequest, status: HTTPStatus, code: str, detail: str) -> HttpResponse:
    if request.path.startswith(API):
        kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "client_error"
        return JsonResponse({"type": kind, "errors": [{"code": code, "detail": detail, "attr": None}]}, status=status)
    try:
        # Without the request, a server error's page needs neither user nor database, which may be what failed.
        about = request if status < HTTPStatus.INTERNAL_SERVER_ERROR else None
        return HttpResponse(render_to_string(f"{status.value}.html", {"code": code, "detail": detail}, about), status=status)
    except TemplateDoesNotExist:
        return HttpResponse(f"{status.value} {status.phrase}. {detail}", status=status, content_type="text/plain; charset=utf-8")
