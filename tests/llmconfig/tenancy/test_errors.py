"""From what a service raises to what a client reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from llmconfig.models import UserLLMConfig
from llmconfig.tenancy.rest.errors import BudgetExhausted, Conflict, Forbidden, Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


def answer_to(error: Exception) -> Response:
    class Failing(APIView):
        authentication_classes = ()
        permission_classes = ()

        def get(self, request: Request) -> Response:
            raise error

    return Failing.as_view()(APIRequestFactory().get("/"))


@pytest.mark.parametrize(
    ("error", "status", "type", "code", "attr"),
    [
        (Invalid("no", code="bad", attr="name"), 400, "validation_error", "bad", "name"),
        (Invalid("no"), 400, "validation_error", "invalid", "non_field_errors"),
        (BudgetExhausted("no"), 402, "client_error", "budget_exhausted", None),
        (Forbidden("no"), 403, "client_error", "permission_denied", None),
        (NotFound("no"), 404, "client_error", "not_found", None),
        (UserLLMConfig.DoesNotExist("a secret id"), 404, "client_error", "not_found", None),
        (Conflict("no", code="run_active"), 409, "client_error", "run_active", None),
        (RequestDataTooBig("a secret setting"), 413, "client_error", "request_too_large", None),
        (Unavailable(), 503, "server_error", "unavailable", None),
        (OperationalError("password=secret"), 503, "server_error", "unavailable", None),
        (InterfaceError(), 503, "server_error", "unavailable", None),
        (redis.ConnectionError("redis://:secret@host"), 503, "server_error", "unavailable", None),
        (redis.TimeoutError(), 503, "server_error", "unavailable", None),
        (RuntimeError("with a secret"), 500, "server_error", "error", None),
    ],
)
def test_errors(error: Exception, status: int, type: str, code: str, attr: str | None) -> None:
    answer = answer_to(error)
    assert answer.status_code == status
    assert answer.data["type"] == type
    [shown] = answer.data["errors"]
    assert (shown["code"], shown["attr"]) == (code, attr)
    assert "secret" not in shown["detail"]
    assert ("Retry-After" in answer) == (status == 503)
