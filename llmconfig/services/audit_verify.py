"""Whether an audit trail is what was recorded: the chains of the database, against their heads and those written out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import OperationalError

from llmconfig.models import AuditEvent, AuditHead, AuditKey, AuditSegment, Organization
from llmconfig.services.audit_heads import HeadsFile, read_heads
from llmconfig.tenancy.audit import INSTALLATION
from llmconfig.tenancy.audit.chains import Head, Problem, Verdict, Walk
from llmconfig.tenancy.audit.keys import newest_key
from llmconfig.tenancy.audit.trail import (
    NONE_OF_ITS_TYPE,
    as_chain,
    cannot_be_read,
    chains,
    keys_of,
    links_in_order,
    segment_content,
    segments_of,
    stretch_of,
)
from llmconfig.vault import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

_TRIES: Final = 3


def verify_chains(*, only: UUID | None = None, heads: HeadsFile | None = None) -> Iterator[tuple[UUID, Verdict]]:
    """Each chain and its verdict, as they are found; memory stays bounded. only: that chain alone. heads: what was written out."""
    written: Mapping[UUID, Iterable[Head]] = heads.by_chain if heads else {}
    wanted = {only} if only is not None else chains() | written.keys()
    for chain in sorted(wanted):
        yield chain, verify_chain(chain, heads=tuple(written.get(chain, ())))


def verify_chain(chain: UUID, *, heads: Iterable[Head] = (), newest: int | None = None) -> Verdict:
    """newest: only so many events from the end. A retention that closes a segment meanwhile makes it begin again."""
    for _ in range(_TRIES):
        closed = AuditSegment.objects.filter(chain=chain).count()
        verdict = _walked(chain, tuple(heads), newest)
        if verdict.intact is not False or AuditSegment.objects.filter(chain=chain).count() == closed:
            break
    return verdict


def _walked(chain: UUID, heads: tuple[Head, ...], newest: int | None) -> Verdict:
    by_seq: dict[int, list[Head]] = {}
    for head in heads:
        by_seq.setdefault(head.seq, []).append(head)
    walk = Walk(keys_of(chain), by_seq)
    try:
        _follow(walk, chain, newest)
    except (*NONE_OF_ITS_TYPE, OperationalError) as error:
        if not cannot_be_read(error):
            raise
        detail = f"What follows event {walk.seq:,} cannot be read: a value was changed into none of its type."
        walk.note(Problem("edited", walk.seq + 1, detail))
    return walk.verdict()


def _follow(walk: Walk, chain: UUID, newest: int | None) -> None:
    stored = AuditHead.objects.filter(pk=chain).first()
    until = stored.seq if stored else None
    after = until - newest if newest is not None and until is not None and until > newest else None
    walk.starts_anywhere = after is not None
    if after is None:
        walk.take_segments(stretch_of(segment_content(each), each.hash) for each in segments_of(chain))
    for head in (each for written in walk.heads.values() for each in written):
        walk.check_head(head)
    for link in links_in_order(chain, after=after, until=until):
        walk.take(link)
    _check_end(walk, chain, stored)


def _check_end(walk: Walk, chain: UUID, stored: AuditHead | None) -> None:
    """stored: the chain's head as it was before the walk."""
    if stored is None:
        if walk.seq:
            walk.note(Problem("head", walk.seq, "The row that holds the end of the chain is gone."))
        elif walk.heads:
            walk.note(Problem("gone", 1, "The whole chain is gone."))
        return
    if walk.seq < stored.seq:
        walk.note(Problem("cut", walk.seq + 1, f"The chain ends at event {walk.seq:,}, but {stored.seq:,} were recorded."))
    elif walk.hash != stored.hash:
        walk.note(Problem("head", walk.seq, f"Event {walk.seq:,} is not the one that was recorded last."))
    last = AuditEvent.objects.filter(chain=chain).order_by("-seq").values_list("seq", flat=True).first() or 0
    end = AuditHead.objects.filter(pk=chain).values_list("seq", flat=True).first() or 0  # read after: whoever records moves both
    if last > end:
        walk.note(Problem("order", end + 1, f"Event {end + 1:,} was put behind the end of the chain."))


def name_of(chain: UUID) -> str:
    """The organization's slug, or what else the chain belongs to."""
    if chain == INSTALLATION:
        return "installation"
    return Organization.objects.filter(pk=chain).values_list("slug", flat=True).first() or f"{chain} (deleted organization)"


def chain_named(text: str) -> UUID | None:
    """By an organization's slug, a chain's id (an organization that is gone) or `installation`; None for none of them."""
    found = Organization.objects.filter(slug=text).values_list("pk", flat=True).first()
    if found is not None:
        return found
    if text == "installation":
        return INSTALLATION
    return as_chain(text)


def written_heads(path: str = "") -> HeadsFile | None:
    """The heads written out at `path`; by default where this installation writes them, None when it has not yet. Raises OSError."""
    if path:
        return read_heads(Path(path))
    usual = Path(settings.AUDIT_HEADS_FILE)
    return read_heads(usual) if usual.is_file() else None


def with_file_problems(verdict: Verdict, problems: tuple[Problem, ...]) -> Verdict:
    return replace(verdict, intact=False, problems=(*problems, *verdict.problems)) if problems else verdict


def chain_keys(chain: UUID) -> dict[str, bytes]:
    """The chain's keys by id, as far as a present KEK opens them. The first one is made if there is none yet."""
    if not AuditKey.objects.exists():
        newest_key(chain)
    key_of, found = keys_of(chain), {}
    for key_id in AuditKey.objects.order_by("created_at").values_list("pk", flat=True):
        with suppress(Unreadable):
            found[key_id] = key_of(key_id)
    return found
