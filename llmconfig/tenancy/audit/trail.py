"""Reading the audit trail in order and in batches, so that millions of events take no memory; and the segments that stand for events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db import DataError, OperationalError, connection

from llmconfig.tenancy.audit.chains import Link, NoSuchKey, Stretch
from llmconfig.tenancy.audit.keys import key_named
from llmconfig.tenancy.audit.models import AuditEvent, AuditHead, AuditKey, AuditSegment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.models import Model, QuerySet

BATCH: Final = 1000
NONE_OF_ITS_TYPE: Final = (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError, DataError)


def events_in_order(
    chain: UUID, *, after: int | None = None, until: int | None = None, rows: QuerySet[AuditEvent] | None = None
) -> Iterator[list[AuditEvent]]:
    """Batches of events by seq. after: exclusive, None for the very first. until: inclusive. rows: a filtered set of them."""
    found = (AuditEvent.objects.all() if rows is None else rows).filter(chain=chain).order_by("seq")
    if until is not None:
        found = found.filter(seq__lte=until)
    while batch := list((found if after is None else found.filter(seq__gt=after))[:BATCH]):
        yield batch
        after = batch[-1].seq


def links_in_order(chain: UUID, *, after: int | None = None, until: int | None = None) -> Iterator[Link]:
    """The same for a walk. A row that was changed into something that cannot be read is told as one without content."""
    while True:
        try:
            for batch in events_in_order(chain, after=after, until=until):
                yield from map(link_of, batch)
                after = batch[-1].seq
        except (*NONE_OF_ITS_TYPE, OperationalError) as error:  # some value of the batch is none of its type
            if not cannot_be_read(error):
                raise
            seqs = _seqs(chain, after, until)
            for seq in seqs:
                yield _one(chain, seq)
            after = seqs[-1]
        else:
            return


def _seqs(chain: UUID, after: int | None, until: int | None) -> list[int]:
    rows = AuditEvent.objects.filter(chain=chain).order_by("seq").values_list("seq", flat=True)
    rows = rows if after is None else rows.filter(seq__gt=after)
    return list((rows if until is None else rows.filter(seq__lte=until))[:BATCH])


def _one(chain: UUID, seq: int) -> Link:
    rows = AuditEvent.objects.filter(chain=chain, seq=seq)
    try:
        return link_of(rows.get())
    except (*NONE_OF_ITS_TYPE, OperationalError) as error:
        if not cannot_be_read(error):
            raise
    return Link(seq, "", "", _hash_of(rows), None)


def _hash_of(rows: QuerySet[AuditEvent]) -> str:
    try:
        return str(rows.values_list("hash", flat=True).get())
    except OperationalError as error:
        if not cannot_be_read(error):
            raise
        return ""


def cannot_be_read(error: Exception) -> bool:
    """Whether it tells of a value that is none of its column's type (SQLite keeps any), and not of a database that does not answer."""
    return isinstance(error, NONE_OF_ITS_TYPE) or (isinstance(error, OperationalError) and "decode" in str(error))


def link_of(event: AuditEvent) -> Link:
    try:
        content: dict[str, Any] | None = event.content()
    except AttributeError:  # a time that is no time
        content = None
    return Link(event.seq, event.key_id, event.previous, event.hash, content)


def segment_content(segment: AuditSegment) -> dict[str, Any]:
    """What a segment's MAC covers, the MAC of the segment before it aside."""
    return {
        "kind": "segment",
        "id": str(segment.id),
        "chain": str(segment.chain),
        "first_seq": segment.first_seq,
        "last_seq": segment.last_seq,
        "first_at": segment.first_at.isoformat(timespec="microseconds"),
        "last_at": segment.last_at.isoformat(timespec="microseconds"),
        "first_previous": segment.first_previous,
        "last_hash": segment.last_hash,
        "closed_at": segment.closed_at.isoformat(timespec="microseconds"),
        "key_id": segment.key_id,
    }


def stretch_of(content: dict[str, Any], hash: str) -> Stretch:
    """content: of `segment_content`, or as an export has it."""
    return Stretch(
        content["first_seq"],
        content["last_seq"],
        content["first_previous"],
        content["last_hash"],
        content["key_id"],
        hash,
        content,
    )


def segments_of(chain: UUID) -> list[AuditSegment]:
    """In order. There is one for each run of the retention, at most."""
    return list(AuditSegment.objects.filter(chain=chain).order_by("first_seq"))


def closed_until(chain: UUID) -> int:
    """The last seq that a closed segment stands for, or 0."""
    last = AuditSegment.objects.filter(chain=chain).order_by("-last_seq").values_list("last_seq", flat=True).first()
    return last or 0


def chains() -> set[UUID]:
    """Every chain of which anything is there: a few index look-ups each, whatever its length."""
    tables: tuple[type[Model], ...] = (AuditHead, AuditSegment, AuditEvent)
    return {chain for table in tables for chain in _found_in(table)}


def _found_in(table: type[Any]) -> set[UUID]:
    try:
        return set(_distinct(table))
    except (*NONE_OF_ITS_TYPE, OperationalError) as error:
        if not cannot_be_read(error):
            raise
    # A row in no chain at all is missing in its own, which is where it shows.
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT hex(chain) FROM {table._meta.db_table}")  # noqa: S608  # nosec B608  # our own tables
        spelled = [bytes.fromhex(row[0]).decode("utf-8", "replace") for row in cursor.fetchall()]
    return {chain for text in spelled if (chain := as_chain(text)) is not None}


def as_chain(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _distinct(table: type[Any]) -> Iterator[UUID]:
    rows = table.objects.order_by("chain").values_list("chain", flat=True)
    found = rows.first()
    while found is not None:
        yield found
        found = rows.filter(chain__gt=found).first()


def keys_of(chain: UUID) -> Callable[[str], bytes]:
    """The chain's keys by id, each opened once. Raises `Unreadable`, `NoSuchKey`."""
    opened: dict[str, bytes] = {}

    def key_of(key_id: str) -> bytes:
        if key_id not in opened:
            if not AuditKey.objects.filter(pk=key_id).exists():
                raise NoSuchKey(key_id)
            opened[key_id] = key_named(key_id, chain)
        return opened[key_id]

    return key_of
