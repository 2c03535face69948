"""The ends of the chains, signed and written out where the database cannot reach: a log line and a line of a file.

Whoever owns the database can cut a chain's tail and put its stored end back; against a head that was written out before, it shows.
The file is best kept, or shipped, where the database's owner cannot write.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from llmconfig.models import AuditEvent, AuditHead
from llmconfig.tenancy.audit.chains import Head
from llmconfig.tenancy.audit.keys import key_named
from llmconfig.vault import FIRST, Unreadable, mac

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("routekit.audit")
ROTATE_AT: Final = 16 * 1024 * 1024
"""Bytes: then the file becomes NAME.1 and a new one begins with the last head of every chain."""
_LONGEST_LINE: Final = 4096


@dataclass(slots=True)
class HeadsFile:
    """by_chain: in the order in which they were written. damaged: numbers of the lines that are none; a torn last one is not counted."""

    by_chain: dict[UUID, list[Head]] = field(default_factory=dict)
    damaged: list[int] = field(default_factory=list)


def write_heads() -> int:
    """Write the head of each chain that has grown since it was last written. How many were. Raises OSError."""
    path = Path(settings.AUDIT_HEADS_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        known = {chain: heads[-1] for chain, heads in (read_heads(path).by_chain if path.is_file() else {}).items()}
        lines = [line for head in AuditHead.objects.order_by("pk").iterator(500) if (line := _line_of(head, known.get(head.pk)))]
        if lines:
            _append(path, lines)
            if path.stat().st_size > ROTATE_AT:
                _rotate(path)
    for line in lines:
        logger.info("head %s", line)
    return len(lines)


def read_heads(path: Path) -> HeadsFile:
    """Raises OSError."""
    found = HeadsFile()
    raw = path.read_bytes()
    lines = raw.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        head = _head_of(line)
        if head is not None:
            found.by_chain.setdefault(head[0], []).append(head[1])
        elif number < len(lines):
            found.damaged.append(number)
    return found


def _head_of(line: bytes) -> tuple[UUID, Head] | None:
    try:
        row: dict[str, Any] = json.loads(line)
        signature = row.pop("mac")
        head = Head(int(row["seq"]), str(row["hash"]), str(row["at"]), str(row["key_id"]), str(signature), row)
        return UUID(row["chain"]), head
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _line_of(head: AuditHead, known: Head | None) -> str | None:
    """None for what has not grown, has shrunk (which is told), or cannot be signed."""
    if head.seq == 0 or (known is not None and known.seq == head.seq and known.hash == head.hash):
        return None
    if known is not None and head.seq <= known.seq:
        logger.error("The audit chain %s ends at event %d, but event %d was written out before.", head.pk, head.seq, known.seq)
        return None
    event = AuditEvent.objects.filter(chain=head.pk, seq=head.seq).only("key_id").first()
    if event is None:
        logger.error("Event %d, the last of the audit chain %s, is gone.", head.seq, head.pk)
        return None
    content = {"at": timezone.now().isoformat(), "chain": str(head.pk), "seq": head.seq, "hash": head.hash, "key_id": event.key_id}
    try:
        signature = mac(key_named(event.key_id, head.pk), FIRST, content)
    except Unreadable:
        logger.warning("The head of the audit chain %s cannot be signed: no present KEK opens its key.", head.pk)
        return None
    return json.dumps(content | {"mac": signature}, separators=(",", ":"))


def _append(path: Path, lines: list[str]) -> None:
    """At once and to the disk. What a writer that was killed left of a line is taken away first."""
    data = "".join(f"{line}\n" for line in lines).encode()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        end = os.pread(descriptor, _LONGEST_LINE, max(0, size - _LONGEST_LINE))
        os.ftruncate(descriptor, size - len(end) + end.rfind(b"\n") + 1)
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rotate(path: Path) -> None:
    """The new file is whole before it takes the old one's place: at no time is a chain's last head nowhere."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    last = [heads[-1] for heads in read_heads(path).by_chain.values()]
    _append(fresh, [json.dumps(dict(head.content) | {"mac": head.mac}, separators=(",", ":")) for head in last])
    older = path.with_name(f"{path.name}.1")
    older.unlink(missing_ok=True)
    os.link(path, older)
    fresh.replace(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One writer at a time on this machine."""
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
