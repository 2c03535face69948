"""An audit trail as a file: JSON lines that can be verified without the database, or a table for a spreadsheet.

JSON lines: a header, the chain's closed segments, the events by seq, a trailer. The trailer's MAC covers the header and every line
between, so that nothing can be taken out of the file afterwards. Only an export of a whole chain proves that nothing is missing of
the chain, too; of a filtered one routekit alone says that these are all.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from llmconfig.models import AuditHead
from llmconfig.tenancy.audit.keys import newest_key
from llmconfig.tenancy.audit.trail import events_in_order, segment_content, segments_of
from llmconfig.tenancy.rest.spreadsheets import as_text
from llmconfig.vault import FIRST, mac

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from django.db.models import QuerySet

    from llmconfig.models import AuditEvent

FORMAT: Final = "routekit-audit-1"
COLUMNS: Final = (
    "seq",
    "at",
    "actor",
    "actor_id",
    "token",
    "action",
    "object_type",
    "object_id",
    "object_label",
    "outcome",
    "ip",
    "details",
    "id",
    "key_id",
    "previous",
    "hash",
)


def json_lines(
    chain: UUID,
    *,
    scope: str,
    about: Mapping[str, Any],
    rows: QuerySet[AuditEvent] | None = None,
    after: int | None = None,
    until: int | None = None,
) -> Iterator[str]:
    """One chunk of text for each batch of events.

    scope: `chain` for all of it, `range` for a stretch without gaps, `filtered`. about: more for the header, as the filters.
    """
    head = AuditHead.objects.filter(pk=chain).first()
    end = head.seq if head else 0
    until = end if until is None else min(until, end)
    digest = hashlib.sha256()
    header = {
        "kind": "header",
        "format": FORMAT,
        "chain": str(chain),
        "scope": scope,
        "exported_at": timezone.now().isoformat(),
        "head": {"seq": end, "hash": head.hash if head else FIRST},
        **about,
    }
    yield _line(header, digest)
    if scope == "chain":
        yield "".join(_line(segment_content(each) | {"hash": each.hash}, digest) for each in segments_of(chain))
    events, first, last = 0, None, None
    for batch in events_in_order(chain, after=after, until=until, rows=rows):
        events, first, last = events + len(batch), first or batch[0].seq, batch[-1].seq
        yield "".join(_line(event_line(event), digest) for event in batch)
    key_id, key = newest_key(chain)
    trailer = {"kind": "trailer", "events": events, "first_seq": first, "last_seq": last, "sha256": digest.hexdigest(), "key_id": key_id}
    yield _line(trailer | {"mac": mac(key, FIRST, trailer)}, digest)


def event_line(event: AuditEvent) -> dict[str, Any]:
    """All that the event's MAC covers, and the MACs."""
    return {"kind": "event", **event.content(), "previous": event.previous, "hash": event.hash}


def _line(row: Mapping[str, Any], digest: Any) -> str:
    line = json.dumps(row, separators=(",", ":")) + "\n"
    digest.update(line.encode())
    return line


def csv_lines(chain: UUID, *, rows: QuerySet[AuditEvent], until: int) -> Iterator[str]:
    """A heading, then a row an event; no cell is a formula to a spreadsheet."""
    yield _table([COLUMNS])
    for batch in events_in_order(chain, rows=rows, until=until):
        yield _table([[as_text(_cell(event, name)) for name in COLUMNS] for event in batch])


def _cell(event: AuditEvent, name: str) -> str:
    value = getattr(event, name)
    if name == "details":
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
    if name == "at":
        return str(event.at.isoformat(timespec="microseconds"))
    return "" if value is None else str(value)


def _table(rows: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
