"""From an exception to `{"type", "errors": [{"code", "detail", "attr"}]}`.

Services raise `tenancy.errors`; what they name maps here to its status. Losing Valkey or the database is a 503 with Retry-After.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from drf_standardized_errors import handler
from rest_framework import exceptions

from llmconfig.tenancy.audit.refusals import note_refusal
from llmconfig.tenancy.errors import BudgetExhausted, Conflict, Forbidden, Invalid, NotFound, ServiceError, Unavailable
from llmconfig.tenancy.rest.permissions import action_of
from llmconfig.vault import Unreadable

__all__ = ["BudgetExhausted", "Conflict", "ExceptionHandler", "Forbidden", "Invalid", "NotFound", "ServiceError", "Unavailable"]

if TYPE_CHECKING:
    from rest_framework.response import Response

logger = logging.getLogger(__name__)
_DATABASE_AWAY: Final = (OperationalError, InterfaceError)


class RequestTooLarge(exceptions.APIException):
    status_code = 413
    default_code = "request_too_large"


class ExceptionHandler(handler.ExceptionHandler):
    def run(self) -> Response | None:
        """Every refusal by role or scope, of the gate as of a service, comes by here, once its transaction is over."""
        response: Response | None = super().run()
        request: Any = self.context["request"]
        if response is not None and response.status_code == Forbidden.status:
            note_refusal(request, code=response.data["errors"][0]["code"], action=action_of(self.context["view"], request.method))
        return response

    def report_exception(self, exc: exceptions.APIException, response: Response) -> None:
        """An outage is a line for each request that meets it (below), not a traceback."""
        if exc.status_code == Unavailable.status:
            response._has_been_logged = True  # type: ignore[attr-defined]  # Django's own mark
        else:
            super().report_exception(exc, response)

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if isinstance(exc, _DATABASE_AWAY) or _is_valkey_away(exc):
            logger.warning("Database or Valkey is away: %s", exc)
            exc = Unavailable()
        if isinstance(exc, ObjectDoesNotExist):
            return exceptions.NotFound()
        if isinstance(exc, RequestDataTooBig):
            return RequestTooLarge(f"The request is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes. Shorten it, or split it.")
        if isinstance(exc, Unreadable):  # where a service does not say it better
            exc = Conflict("What is stored here was sealed under another KEK. Restore that KEK.", code="unreadable")
        if isinstance(exc, ServiceError):
            return _api_exception(exc)
        known: Exception = super().convert_known_exceptions(exc)
        return known


def _is_valkey_away(exc: Exception) -> bool:
    """By the client's own classes, but only if it is loaded: it takes a quarter of a second, and until then it raises nothing."""
    errors = sys.modules.get("redis.exceptions")
    return errors is not None and isinstance(exc, (errors.ConnectionError, errors.TimeoutError))


def _api_exception(error: ServiceError) -> exceptions.APIException:
    if isinstance(error, Invalid):
        return exceptions.ValidationError({error.attr or "non_field_errors": [exceptions.ErrorDetail(error.detail, error.code)]})
    converted: Any = exceptions.APIException(error.detail, error.code)
    converted.status_code = error.status
    if isinstance(error, Unavailable):
        converted.wait = error.retry_after
    return converted  # type: ignore[no-any-return]
