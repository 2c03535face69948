"""`/healthz`: this process serves. `/readyz`: so do the database, Valkey and a worker; 503 says which does not."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

if TYPE_CHECKING:
    from django.http import HttpRequest
    from redis import Redis

WORKERS: Final = "routekit:worker:*"  # one key a worker, which it renews before it expires
RETRY_AFTER_S: Final = 5
ANSWER_WITHIN_S: Final = 2.0


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """{"ready": bool, "parts": {"database", "valkey", "worker": "ok" | "away"}}"""
    valkey, worker = _valkey_and_worker()
    parts = {"database": _database(), "valkey": valkey, "worker": worker}
    well = all(parts.values())
    body = {"ready": well, "parts": {name: "ok" if answers else "away" for name, answers in parts.items()}}
    response = JsonResponse(body, status=200 if well else 503, headers={} if well else {"Retry-After": str(RETRY_AFTER_S)})
    response._has_been_logged = True  # type: ignore[attr-defined]  # what asks again and again would fill the log with errors
    return response


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except DatabaseError:
        return False


def _valkey_and_worker() -> tuple[bool, bool]:
    from redis import RedisError  # noqa: PLC0415  # only who is asked for it loads it: commands start sooner

    client = _client(settings.REDIS_URL)
    try:
        client.ping()
        return True, any(True for _ in client.scan_iter(match=WORKERS, count=1000))
    except RedisError:
        return False, False


@cache
def _client(url: str) -> Redis:
    from redis import Redis  # noqa: PLC0415

    return Redis.from_url(url, socket_connect_timeout=ANSWER_WITHIN_S, socket_timeout=ANSWER_WITHIN_S)
