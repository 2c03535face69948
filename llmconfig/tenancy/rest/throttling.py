"""How often one may ask. Fixed windows of a minute, counted in Valkey: one round trip a request, whatever is counted.

A window's count is one key: organization, principal (the whole SHA-256 of a token, or the user) and the minute, so that nobody's requests
count against anybody else's. Fixed windows let twice the limit through around a boundary, and cost an INCR. With Valkey away nothing is
counted and everything is let through.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.cache import cache
from rest_framework.exceptions import Throttled
from rest_framework.permissions import SAFE_METHODS
from rest_framework.throttling import BaseThrottle

from llmconfig.tenancy.caller import Caller, find_caller, ip_of
from llmconfig.tenancy.models import ApiToken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rest_framework.request import Request
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)
WINDOW_S: Final = 60
LIMITS: Final = {"connections": 240, "tokens": 60, "invitations": 60, "exports": 60, "verify": 30}
"""Requests a minute of one user, whatever token they come with. A view names its scope as `throttle_scope`, for its unsafe methods."""
_SCOPES: Final = {
    "config-test": "connections",
    "config-models-refresh": "connections",
    "tokens": "tokens",
    "invitations": "invitations",
    "invitation-renew": "invitations",
    "api-audit-verify": "verify",
}
"""Of views that name none, by the name of their address."""
_EXPORTS: Final = ("csv", "jsonl")
_LEFT_ALONE_S: Final = 5.0


class _Counter:
    """Counts in Valkey. After a failure it is left alone for some seconds, so that an outage costs no request its timeout."""

    def __init__(self) -> None:
        self._away_until = 0.0

    def add(self, names: Sequence[str]) -> list[int]:
        """One to each, and what they come to; all 0 with Valkey away. Raises nothing."""
        if time.monotonic() < self._away_until:
            return [0] * len(names)
        try:
            client = cache._cache.get_client(None, write=True)  # type: ignore[attr-defined]  # django-stubs knows no backend
            with client.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.incr(name)
                    pipe.expire(name, WINDOW_S * 2)
                answers: list[int] = pipe.execute()
        except Exception as error:  # noqa: BLE001  # whatever the client raises, the request goes on
            if not self._away_until:
                logger.warning("Valkey is away (%s): requests are not counted until it is back.", type(error).__name__)
            self._away_until = time.monotonic() + _LEFT_ALONE_S
            return [0] * len(names)
        self._away_until = 0.0
        return answers[::2]


_counter = _Counter()


class Throttle(BaseThrottle):
    """The general limit of a principal (ROUTEKIT_THROTTLE), and the tighter one of what the view does."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        caller = find_caller(request)
        if caller is None:
            return True
        limits = {_key(caller, principal_of(request, caller), "all"): settings.THROTTLE_PER_MINUTE}
        if scope := scope_of(request, view):
            limits[_key(caller, f"user:{caller.user.pk}", scope)] = LIMITS[scope]
        counts = _counter.add(list(limits))
        return all(count <= limit for count, limit in zip(counts, limits.values(), strict=True))

    def wait(self) -> float:
        """Seconds until the next window."""
        return seconds_left()


def count_failed_token(request: Any) -> None:
    """A token that nobody has. Raises `Throttled` for an address that tries too many (ROUTEKIT_FAILED_TOKENS)."""
    address = ip_of(request) or "none"
    [count] = _counter.add([f"throttle:-:ip:{address}:tokens:{_window()}"])
    if count > settings.FAILED_TOKENS_PER_MINUTE:
        raise Throttled(wait=seconds_left())


def principal_of(request: Request, caller: Caller) -> str:
    token = request.auth
    return f"token:{token.sha256}" if isinstance(token, ApiToken) else f"user:{caller.user.pk}"


def scope_of(request: Request, view: APIView) -> str | None:
    if request.method in SAFE_METHODS:
        return "exports" if request.query_params.get("format") in _EXPORTS else None
    named: str | None = getattr(view, "throttle_scope", None)
    match = request.resolver_match
    return named or (_SCOPES.get(match.url_name or "") if match else None)


def seconds_left() -> float:
    return WINDOW_S - time.time() % WINDOW_S


def _key(caller: Caller, principal: str, scope: str) -> str:
    return f"throttle:{caller.organization.pk.hex}:{principal}:{scope}:{_window()}"


def _window() -> int:
    return int(time.time() // WINDOW_S)
