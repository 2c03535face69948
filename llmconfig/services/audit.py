"""What people ask of their organization's audit trail: find events, export them, have the chain verified."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypedDict
from uuid import UUID

from django.core.cache import cache
from django.db.models import Q
from django.utils import timezone

from llmconfig.models import AuditEvent, AuditHead
from llmconfig.services.audit_export import csv_lines, json_lines
from llmconfig.services.audit_verify import verify_chain, written_heads
from llmconfig.tenancy.audit import Actor, Outcome, record
from llmconfig.tenancy.audit.chains import Verdict
from llmconfig.tenancy.caller import Action
from llmconfig.tenancy.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

    from llmconfig.tenancy.caller import Caller

VERIFY_NEWEST: Final = 100_000
"""Events that one request verifies; `manage.py verify_audit` verifies all."""
_VERIFYING_S: Final = 120
_KEPT_S: Final = 90 * 24 * 3600


class AuditFilters(TypedDict, total=False):
    """actor: an id or a name. action: beginnings, any of which fits. since: from then on; before: until then, exclusive.

    object: `type:id`, or a type alone. q: part of an object, actor, address, token, action or id.
    """

    q: str
    actor: str
    action: Sequence[str]
    outcome: str
    since: datetime
    before: datetime
    object: str


def audit_events_for(caller: Caller, **filters: Any) -> QuerySet[AuditEvent]:
    """Newest first. filters: of `AuditFilters`. Raises `Forbidden`."""
    caller.require(Action.READ_AUDIT)
    rows = AuditEvent.objects.filter(chain=caller.organization.pk).order_by("-seq")
    for condition in _conditions(AuditFilters(**filters)):  # type: ignore[typeddict-item]
        rows = rows.filter(condition)
    return rows


def _conditions(filters: AuditFilters) -> Iterator[Q]:
    if text := filters.get("q"):
        names = ("object_label", "object_id", "actor", "ip", "token", "action")
        yield Q(*((f"{name}__icontains", text) for name in names), _connector=Q.OR) | _of_id(text)
    if actor := filters.get("actor"):
        yield Q(actor_id=actor) if _is_uuid(actor) else Q(actor=actor)
    if actions := filters.get("action"):
        yield Q(*(("action__startswith", each) for each in actions), _connector=Q.OR)
    if outcome := filters.get("outcome"):
        yield Q(outcome=outcome)
    if since := filters.get("since"):
        yield Q(at__gte=since)
    if before := filters.get("before"):
        yield Q(at__lt=before)
    if about := filters.get("object"):
        kind, _, id = about.partition(":")
        yield Q(object_type=kind, object_id=id) if id else Q(object_type=kind)


def _of_id(text: str) -> Q:
    return Q(pk=text) if _is_uuid(text) else Q(hash=text)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def export_audit(*, caller: Caller, format: str, told: dict[str, Any], **filters: Any) -> Iterator[str]:
    """Text in chunks, oldest first, up to the event that records this export.

    format: `csv` or `jsonl`. told: the filters as they were sent. The export is recorded before this returns. Raises `Forbidden`.
    """
    rows = audit_events_for(caller, **filters)
    chain = caller.organization.pk
    details = {"format": format, "events": rows.count(), "filters": told}
    about = ("export", "", f"{format}, {details['events']:,} events")
    event = record("audit.exported", actor=Actor.of(caller), organization=chain, object=about, details=details)
    rows = rows.filter(seq__lte=event.seq)
    if format == "csv":
        return csv_lines(chain, rows=rows, until=event.seq)
    header = {"organization": {"id": str(chain), "name": caller.organization.name, "slug": caller.organization.slug}, "filters": told}
    scope = "filtered" if told else "chain"
    return json_lines(chain, scope=scope, about=header, rows=rows if told else None, until=event.seq)


def verify_audit(*, caller: Caller) -> dict[str, Any]:
    """Verify the newest events now, against the heads that this machine wrote out; the result is kept for who asks next.

    Raises `Forbidden`, and `Conflict` while the same chain is being verified.
    """
    caller.require(Action.READ_AUDIT)
    chain = caller.organization.pk
    if not cache.add(_key(chain, "verifying"), 1, _VERIFYING_S):
        raise Conflict("The chain is being verified already. Its result will show in a moment.", code="already_verifying")
    try:
        written = written_heads()
        verdict = verify_chain(chain, heads=written.by_chain.get(chain, ()) if written else (), newest=VERIFY_NEWEST)
        result = _told(verdict)
        outcome = Outcome.FAILED if verdict.intact is False else Outcome.ALLOWED
        details = {name: result[name] for name in ("intact", "checked", "first_seq", "last_seq")}
        about = ("events", "", f"events {verdict.first_seq or 0:,} to {verdict.last_seq or 0:,}")
        record("audit.verified", actor=Actor.of(caller), organization=chain, object=about, outcome=outcome, details=details)
        cache.set(_key(chain, "verdict"), result, _KEPT_S)
    finally:
        cache.delete(_key(chain, "verifying"))
    return result | {"events": _events(chain)}


def last_verification(*, caller: Caller) -> dict[str, Any]:
    """What the last `verify_audit` found, `at` null before the first; and how many events the chain has had."""
    caller.require(Action.READ_AUDIT)
    chain = caller.organization.pk
    never = asdict(Verdict(None, 0, 0, None, None, False, ())) | {"at": None}
    return (cache.get(_key(chain, "verdict")) or never) | {"events": _events(chain)}


def _told(verdict: Verdict) -> dict[str, Any]:
    return asdict(verdict) | {"problems": [asdict(problem) for problem in verdict.problems], "at": timezone.now().isoformat()}


def _events(chain: UUID) -> int:
    return AuditHead.objects.filter(pk=chain).values_list("seq", flat=True).first() or 0


def _key(chain: UUID, what: str) -> str:
    return f"audit:{chain}:{what}"
