"""Verifying an export: a file and the chain's keys are enough, the database is never asked.

The keys are those of an HMAC: whoever can verify with them could also have made what is verified. An auditor's own proof is
therefore a head that the auditor was given earlier; against the installation's owner, a key alone proves nothing.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from llmconfig.services.audit_export import FORMAT
from llmconfig.tenancy.audit.chains import Link, Problem, Verdict, Walk, same_mac
from llmconfig.tenancy.audit.trail import stretch_of
from llmconfig.vault import FIRST, Unreadable, mac

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from llmconfig.tenancy.audit.chains import Head

_LONGEST_LINE: Final = 16 * 1024 * 1024
KEYS_FORMAT: Final = "routekit-audit-keys-1"


class NotAnExport(ValueError):
    """The file is none of ours, or was cut or edited so that it cannot be read on. The text says where."""


@dataclass(slots=True)
class _Reading:
    header: dict[str, Any]
    walk: Walk
    linked: bool
    digest: Any = field(default_factory=hashlib.sha256)
    events: int = 0
    trailer: dict[str, Any] | None = None
    sealed: str = ""


def keys_in(text: str) -> tuple[str, dict[str, bytes]]:
    """(chain, key by id) of a key file as `verify_audit --print-key` prints it. Raises `NotAnExport`."""
    try:
        row = json.loads(text)
        if row["format"] != KEYS_FORMAT:
            raise NotAnExport("This is no key file of routekit's.")
        return str(row["chain"]), {str(name): bytes.fromhex(value) for name, value in row["keys"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotAnExport("This is no key file of routekit's.") from None


def key_among(keys: Mapping[str, bytes]) -> Callable[[str], bytes]:
    def key_of(key_id: str) -> bytes:
        if key_id not in keys:
            raise Unreadable("The key file does not hold this key.")
        return keys[key_id]

    return key_of


def read_header(path: Path) -> dict[str, Any]:
    """The first line: chain, scope (`chain`, `range`, `filtered`), filters. Raises `NotAnExport`, OSError."""
    with path.open("rb") as file:
        header = _row(file.readline(_LONGEST_LINE), 1)
    if (
        (header.get("kind"), header.get("format")) != ("header", FORMAT)
        or not isinstance(header.get("chain"), str)
        or not isinstance(header.get("scope"), str)
        or not isinstance(header.get("head"), dict)
    ):
        raise NotAnExport("The first line is no header of an audit export.")
    return header


def verify_export(path: Path, *, key_of: Callable[[str], bytes], heads: Iterable[Head] = ()) -> Verdict:
    """Whether the file is what was exported, and its events what was recorded. Raises `NotAnExport`, OSError."""
    header = read_header(path)
    linked = header.get("scope") in ("chain", "range")
    by_seq: dict[int, list[Head]] = {}
    known = [head for head in heads if not _came_later(head, header)]
    for head in known:
        by_seq.setdefault(head.seq, []).append(head)
    is_part = header["scope"] != "chain"
    walk = Walk(key_of, by_seq, starts_anywhere=is_part, ends_anywhere=is_part)
    for head in known:
        walk.check_head(head)
    reading = _Reading(header, walk, linked)
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file), 1):
            with _understood(number):
                _take(reading, _row(line, number), line)
    _check_trailer(reading, key_of)
    verdict = walk.verdict(complete=header["scope"] == "chain")
    return verdict if linked else replace(verdict, last_seq=walk.seq or None)


def _came_later(head: Head, header: Mapping[str, Any]) -> bool:
    """Whether the head was written out after the export was made, of an event that came after it: no sign that its end was cut. When it
    was made, its trailer's MAC covers.
    """
    try:
        return datetime.fromisoformat(head.at) > datetime.fromisoformat(header["exported_at"]) and head.seq > header["head"]["seq"]
    except (ValueError, TypeError, KeyError):
        return False


def _lines(file: Any) -> Iterator[bytes]:
    while line := file.readline(_LONGEST_LINE):
        yield line


def _row(line: bytes, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict) or not line.endswith(b"\n"):
        raise NotAnExport(f"Line {number:,} cannot be read: the file was cut or edited there.")
    return row


@contextmanager
def _understood(number: int) -> Iterator[None]:
    try:
        yield
    except NotAnExport:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        raise NotAnExport(f"Line {number:,} lacks what every such line has, or has it wrong: the file was edited there.") from None


def _take(reading: _Reading, row: dict[str, Any], line: bytes) -> None:
    kind = row.pop("kind")
    if reading.trailer is not None:
        raise NotAnExport("Something follows the trailer: the file was edited.")
    if kind == "trailer":
        reading.trailer, reading.sealed = row, reading.digest.hexdigest()
        return
    reading.digest.update(line)
    if kind == "segment":
        signature = str(row.pop("hash"))
        reading.walk.take_segments([stretch_of(row | {"kind": kind}, signature)])
    elif kind == "event":
        _take_event(reading, row)


def _take_event(reading: _Reading, row: dict[str, Any]) -> None:
    reading.events += 1
    previous, signature, seq = row.pop("previous"), row.pop("hash"), int(row["seq"])
    walk = reading.walk
    if row["chain"] != reading.header["chain"]:
        walk.note(Problem("order", seq, f"Event {seq:,} belongs to another chain."))
    if not reading.linked and walk.first_seq is not None:
        if seq <= walk.seq:
            walk.note(Problem("order", seq, f"Event {seq:,} stands after event {walk.seq:,}."))
        walk.seq, walk.hash = seq - 1, previous  # what stands between was filtered out
    walk.take(Link(seq, str(row["key_id"]), str(previous), str(signature), row))


def _check_trailer(reading: _Reading, key_of: Callable[[str], bytes]) -> None:
    walk, trailer = reading.walk, reading.trailer
    if trailer is None:
        walk.note(Problem("file", None, "The file ends without its trailer: the end was cut off."))
        return
    signature = str(trailer.pop("mac", ""))
    try:
        expected = mac(key_of(str(trailer.get("key_id"))), FIRST, {"kind": "trailer"} | trailer)
    except Unreadable:
        walk.unverified += 1
        expected = signature
    except (LookupError, ValueError):
        expected = ""
    if not same_mac(expected, signature):
        walk.note(Problem("file", None, "The trailer is not what was signed."))
    if trailer.get("sha256") != reading.sealed or trailer.get("events") != reading.events:
        walk.note(Problem("file", None, "The lines are not those that were exported: some were taken out, put in or changed."))
    head = reading.header["head"]
    if reading.header["scope"] == "chain" and (head.get("seq"), head.get("hash")) != (walk.seq, walk.hash):
        walk.note(Problem("cut", walk.seq + 1, f"The events end at {walk.seq:,}, but the header says {head.get('seq')}."))
