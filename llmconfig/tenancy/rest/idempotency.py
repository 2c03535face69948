"""`Idempotency-Key` on the POSTs that create: the same key within 24 hours answers what it answered, and creates nothing again.

A request first claims its key in a transaction of its own, so that a duplicate arriving meanwhile is told so (409). What it
creates and the answer to repeat are then committed together: neither exists without the other. A claim whose process died
lapses after a minute. The stored answer is sealed, for it may hold what is shown only once.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from llmconfig.llm import Secret
from llmconfig.tenancy.caller import Caller, caller_of
from llmconfig.tenancy.errors import Conflict
from llmconfig.tenancy.keys import open_for, seal_for
from llmconfig.tenancy.models import IdempotencyRecord
from llmconfig.tenancy.sealed import Sealed

if TYPE_CHECKING:
    from rest_framework.request import Request

HEADER: Final = "Idempotency-Key"
idempotency_parameter: Final = OpenApiParameter(
    HEADER, str, OpenApiParameter.HEADER, description="The same key within 24 hours repeats the answer and creates nothing again."
)
_KEPT: Final = timedelta(hours=24)
_CLAIM_LAPSES: Final = timedelta(minutes=1)
_SWEPT_AT_ONCE: Final = 500


class IdempotentCreateMixin(ABC):
    """Gives a view `post`; the view writes `create`, and `before_create` for what stays out of it."""

    @abstractmethod
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Makes the thing, and answers with it. Within a transaction where the request has a key."""

    def before_create(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Network calls and the like; raises to refuse."""
        return

    def content_of(self, request: Request) -> Any:
        """What makes two requests the same, as JSON: the body, unless it holds a file."""
        return request.data

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = _key(request)
        if not key:
            self.before_create(request, *args, **kwargs)
            return self.create(request, *args, **kwargs)
        record, stored = _claim(caller_of(request), request, key, self.content_of(request))
        if stored is not None:
            return stored
        try:
            self.before_create(request, *args, **kwargs)
            with transaction.atomic():
                response = self.create(request, *args, **kwargs)
                _store(record, response)
        except BaseException:
            record.delete()  # the request failed: the key is free again
            raise
        return response


def sweep_records() -> int:
    """Delete what nobody can ask for any more: a day after, an answer is not repeated. How many."""
    stale = IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - _KEPT)
    swept = 0
    while ids := list(stale.values_list("id", flat=True)[:_SWEPT_AT_ONCE]):
        swept += IdempotencyRecord.objects.filter(id__in=ids).delete()[0]
    return swept


def _key(request: Request) -> str:
    key = request.headers.get(HEADER, "")
    if len(key) > 255 or "\x00" in key:
        raise ValidationError({HEADER: [ErrorDetail("At most 255 characters, none of them NUL.", "invalid")]})
    return key


def _claim(caller: Caller, request: Request, key: str, content: Any) -> tuple[IdempotencyRecord, Response | None]:
    """A new claim, or the record that stands with its answer. Raises `Conflict`."""
    names = {"principal": caller.principal, "path": request.path[:300], "key": key}
    fingerprint = _fingerprint(content)
    now = timezone.now()
    lapsed = IdempotencyRecord.objects.filter(**names)
    lapsed.filter(created_at__lt=now - _KEPT).delete()
    lapsed.filter(status=None, created_at__lt=now - _CLAIM_LAPSES).delete()
    try:
        with transaction.atomic():
            record = IdempotencyRecord.objects.create(**names, organization=caller.organization, request_hash=fingerprint)
        return record, None
    except IntegrityError:
        record = IdempotencyRecord.objects.select_related("organization").get(**names)
    if record.request_hash != fingerprint:
        raise Conflict("This Idempotency-Key was used for another request.", code="idempotency_mismatch")
    if record.status is None:
        raise Conflict("A request with this Idempotency-Key is still running.", code="idempotency_in_progress")
    body = open_for(record, "body").reveal()
    return record, Response(json.loads(body), status=record.status)


def _store(record: IdempotencyRecord, response: Response) -> None:
    body = JSONRenderer().render(response.data).decode() or "null"
    record.body = Sealed(seal_for(record, "body", Secret(body)))
    record.status = response.status_code
    record.save(update_fields=["body", "status"])


def _fingerprint(data: Any) -> str:
    return salted_hmac("llmconfig.idempotency", json.dumps(data, sort_keys=True), algorithm="sha256").hexdigest()
