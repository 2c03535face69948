"""An organization's audit retention: the old part of its chain becomes a closed, signed segment, then its events are removed.

Three steps, each of which may be the last before a kill: the archive is written (again, if it was), the segment is committed, events go in
batches. The next run goes on with the removal where the last stopped. Nothing is closed over that is not intact: a segment would
lend its signature to whatever was tampered with.
"""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from llmconfig.models import AuditEvent, AuditHead, AuditSegment, Organization
from llmconfig.services.audit_export import json_lines
from llmconfig.tenancy.audit import SYSTEM, record
from llmconfig.tenancy.audit.chains import Walk
from llmconfig.tenancy.audit.keys import newest_key
from llmconfig.tenancy.audit.trail import BATCH, closed_until, keys_of, links_in_order, segment_content
from llmconfig.vault import FIRST, mac

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

logger = logging.getLogger("routekit.audit")
MAX_SEGMENT: Final = 50_000
"""Events: more make several segments."""


def apply_audit_retention() -> int:
    """Close and remove what is older than its organization keeps it. How many segments were closed."""
    closed = 0
    for organization in Organization.objects.exclude(audit_retention_days=None).order_by("pk"):
        remove_closed(organization.pk)
        before = timezone.now() - timedelta(days=organization.audit_retention_days or 0)
        end = _end_of(organization.pk)  # what closing adds is not what this run closes
        while close_segment(organization.pk, older_than=before, end=end):
            closed += 1
            remove_closed(organization.pk)
    return closed


def close_segment(chain: UUID, *, older_than: datetime, end: int | None = None) -> AuditSegment | None:
    """The next segment of what is older, archived; its events are still there. None when there is none, or it is not intact.

    end: the event from which on all are kept; by default the chain's newest.
    """
    first, last = _next_stretch(chain, older_than, _end_of(chain) if end is None else end)
    if first is None or last is None:
        return None
    walk = Walk(keys_of(chain), starts_anywhere=True)
    for link in links_in_order(chain, after=first.seq - 1, until=last.seq):
        walk.take(link)
    verdict = walk.verdict()
    if verdict.intact is not True or first.previous != _end_before(chain):
        told = "; ".join(problem.detail for problem in verdict.problems) or "its key cannot be opened, or something before it is missing"
        logger.error("Events %d to %d of the audit chain %s are kept past their time: %s", first.seq, last.seq, chain, told)
        return None
    archive = _archive(chain, first.seq, last.seq)
    return _commit(chain, first, last, archive)


def remove_closed(chain: UUID) -> int:
    """Remove the events that closed segments stand for, oldest first, in short transactions. How many went."""
    until, removed = closed_until(chain), 0
    while batch := list(AuditEvent.objects.filter(chain=chain, seq__lte=until).order_by("seq").values_list("seq", flat=True)[:BATCH]):
        AuditEvent.objects.filter(chain=chain, seq__lte=batch[-1]).delete()
        removed += len(batch)
    return removed


def _end_of(chain: UUID) -> int:
    return AuditHead.objects.filter(pk=chain).values_list("seq", flat=True).first() or 0


def _next_stretch(chain: UUID, older_than: datetime, end: int) -> tuple[AuditEvent | None, AuditEvent | None]:
    """Its first and last event, none of them `end` or younger than that."""
    after = closed_until(chain)
    last_possible = min(end - 1, after + MAX_SEGMENT)
    rows = AuditEvent.objects.filter(chain=chain, seq__gt=after, seq__lte=last_possible).order_by("seq")
    young = rows.filter(at__gte=older_than).values_list("seq", flat=True).first()
    old = rows if young is None else rows.filter(seq__lt=young)
    return old.first(), old.last()


def _end_before(chain: UUID) -> str:
    """The MAC that the next segment's first event must follow."""
    last = AuditSegment.objects.filter(chain=chain).order_by("-last_seq").first()
    return last.last_hash if last else FIRST


def _archive(chain: UUID, first: int, last: int) -> str:
    """Write the events as JSON lines, whole or not at all. The file's name, "" where none is kept. Raises OSError."""
    if not settings.AUDIT_ARCHIVE:
        return ""
    folder = Path(settings.AUDIT_ARCHIVE) / str(chain)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{first:012d}.jsonl"
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        for chunk in json_lines(chain, scope="range", about={}, after=first - 1, until=last):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return path.name


@transaction.atomic
def _commit(chain: UUID, first: AuditEvent, last: AuditEvent, archive: str) -> AuditSegment | None:
    AuditHead.objects.select_for_update().get(pk=chain)  # of two that close at once, the second finds it done
    before = AuditSegment.objects.filter(chain=chain).order_by("-last_seq").first()
    if before is not None and before.last_seq >= first.seq:
        return None
    key_id, key = newest_key(chain)
    segment = AuditSegment(
        chain=chain,
        first_seq=first.seq,
        last_seq=last.seq,
        first_at=first.at,
        last_at=last.at,
        first_previous=first.previous,
        last_hash=last.hash,
        closed_at=timezone.now(),
        key_id=key_id,
    )
    segment.hash = mac(key, before.hash if before else FIRST, segment_content(segment))
    segment.save(force_insert=True)
    details = {"first_seq": first.seq, "last_seq": last.seq, "events": last.seq - first.seq + 1, "archive": archive}
    record("audit.segment_closed", actor=SYSTEM, organization=chain, object=("segment", str(segment.pk), str(segment)), details=details)
    return segment
