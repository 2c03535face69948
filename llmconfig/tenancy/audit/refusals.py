"""What was refused, told in the trail: a request that its caller's role or token did not allow.

It has no action to commit with, so it is a transaction of its own, after the refused one is over. A client that tries without end
writes a bounded number of events.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import DatabaseError
from django.utils import timezone

from llmconfig.tenancy.audit.actors import Actor
from llmconfig.tenancy.audit.models import AuditEvent, Outcome
from llmconfig.tenancy.audit.record import record
from llmconfig.tenancy.caller import Action, find_caller

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

    from llmconfig.tenancy.caller import Caller

logger = logging.getLogger(__name__)
REFUSED: Final = "access.refused"
PER_MINUTE: Final = 20
"""Of one person in one organization. The last of them says that more may follow unrecorded."""
_LOOKED_AT: Final = 400
"""Events of a person. Whoever makes more in a minute that are allowed may have some refusals told beyond the limit."""
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_SENSITIVE: Final = frozenset({Action.READ_AUDIT, Action.SEE_ALL_USAGE})


def note_refusal(request: HttpRequest | Request, *, code: str, action: Action | None = None) -> None:
    """Record that a request was refused by role or scope, if it would have changed something or read what few may.

    action: what it needed, as far as that is known. Never raises: the refusal is answered all the same.
    """
    method = request.method or "GET"
    if method in _SAFE and action not in _SENSITIVE:
        return
    try:
        caller = find_caller(request)
        if caller is not None:
            _record(caller, request, method, code, action)
    except DatabaseError as error:
        logger.warning("A refused request could not be recorded: %s", error)


def _record(caller: Caller, request: Any, method: str, code: str, action: Action | None) -> None:
    chain = caller.organization.pk
    # The newest of this person alone, and no condition besides: what is read stays bounded, however much of whatever came before.
    mine = AuditEvent.objects.filter(chain=chain, actor_id=caller.user.pk).order_by("-seq").values_list("action", "at")[:_LOOKED_AT]
    since = timezone.now() - timedelta(minutes=1)
    recent = sum(name == REFUSED and at > since for name, at in mine)
    if recent >= PER_MINUTE:
        return
    details = {"method": method, "path": request.path[:300], "code": code, "role": caller.role.value}
    if action is not None:
        details["needs"] = action.label
    if recent == PER_MINUTE - 1:
        details["more"] = "further refusals of this minute are not recorded"
    about = ("request", "", f"{method} {request.path}")
    record(REFUSED, actor=Actor.of(caller), organization=chain, object=about, outcome=Outcome.REFUSED, details=details)
