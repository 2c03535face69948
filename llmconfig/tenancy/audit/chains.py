"""Walking along a chain: whether each event is what was recorded, and follows the one before. Knows no database: what is walked over
may be rows or the lines of an export.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from llmconfig.vault import FIRST, Unreadable, mac

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MAX_PROBLEMS: Final = 20
"""Told of one chain; where more is wrong, the rest is of no more use."""


class NoSuchKey(LookupError):
    """An event names a key that is not there."""


def same_mac(expected: str, found: object) -> bool:
    """found: whatever stands where a MAC should."""
    return isinstance(found, str) and hmac.compare_digest(expected.encode(), found.encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Problem:
    """kind: `edited`, `missing`, `order`, `cut`, `head`, `segment`, `key`, `gone` or `file`. seq: the first event concerned, or None."""

    kind: str
    seq: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Link:
    """An event as it is found. content: what its MAC covers, `previous` aside; None when the row cannot even be read."""

    seq: int
    key_id: str
    previous: str
    hash: str
    content: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A closed segment as it is found. content: what its MAC covers, the MAC of the segment before it aside."""

    first_seq: int
    last_seq: int
    first_previous: str
    last_hash: str
    key_id: str
    hash: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain as it was once written out. content: what its MAC covers."""

    seq: int
    hash: str
    at: str
    key_id: str
    mac: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one chain.

    intact: None when nothing is wrong but a key could not be opened, so that `unverified` events are only known to follow one another.
    complete: whether the walk began at the chain's first event, or at the segments that stand for it.
    """

    intact: bool | None
    checked: int
    unverified: int
    first_seq: int | None
    last_seq: int | None
    complete: bool
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class Walk:
    """Give it the segments, then every event in order (`take`), then the end (`verdict`).

    key_of: the chain's key by its id; raises `Unreadable`, or `NoSuchKey`. heads: those written out once, by seq. starts_anywhere: the
    first event's predecessor is taken on trust, for a part of a chain. ends_anywhere: heads of later events are no sign of a cut.
    """

    key_of: Callable[[str], bytes]
    heads: Mapping[int, Iterable[Head]] = field(default_factory=dict)
    starts_anywhere: bool = False
    ends_anywhere: bool = False
    seq: int = 0
    hash: str = FIRST
    problems: list[Problem] = field(default_factory=list)
    checked: int = 0
    unverified: int = 0
    first_seq: int | None = None
    _closed_until: int = 0
    _segment_before: str = FIRST
    _borders: dict[int, str] = field(default_factory=dict)

    def take_segments(self, segments: Iterable[Stretch]) -> None:
        """In order. Events after them follow the last one; those of theirs that are still there must fit."""
        for segment in segments:
            named = f"The closed segment of events {segment.first_seq:,} to {segment.last_seq:,}"
            if not self._signed(segment.key_id, self._segment_before, segment.content, segment.hash, named):
                self._note("segment", segment.first_seq, f"{named} is not what was signed, or one before it is gone.")
            if segment.first_seq != self.seq + 1 or segment.first_previous != self.hash:
                self._note("segment", self.seq + 1, f"{named} does not follow what is before it: events or a segment between are missing.")
            self.seq, self.hash, self._segment_before = segment.last_seq, segment.last_hash, segment.hash
            self._borders[segment.last_seq] = segment.last_hash
            self._check_written(segment.last_seq, segment.last_hash)
        self._closed_until = self.seq

    def take(self, link: Link) -> None:
        if self.first_seq is None:
            self.first_seq = link.seq
            if self.starts_anywhere or 0 < link.seq <= self._closed_until:  # removal of a closed segment is not through yet
                self.seq, self.hash = link.seq - 1, link.previous
        self._check_place(link)
        self._check_content(link)
        self.seq, self.hash = link.seq, link.hash
        self.checked += 1

    def verdict(self, *, complete: bool | None = None) -> Verdict:
        last = max(self.heads, default=0)
        if last > self.seq and not self.ends_anywhere:
            head = next(iter(self.heads[last]))
            self._note("cut", self.seq + 1, f"The chain ends at event {self.seq:,}, but event {last:,} was written out on {head.at}.")
        return Verdict(
            intact=False if self.problems else None if self.unverified else True,
            checked=self.checked,
            unverified=self.unverified,
            first_seq=self.first_seq,
            last_seq=self.seq or None,
            complete=not self.starts_anywhere if complete is None else complete,
            problems=tuple(self.problems),
        )

    def check_head(self, head: Head) -> None:
        """Whether a head that was written out is one of ours."""
        if not self._signed(head.key_id, FIRST, head.content, head.mac, f"The head written out on {head.at}"):
            self._note("head", head.seq, f"The head of event {head.seq:,}, written out on {head.at}, is not what was signed.")

    def note(self, problem: Problem) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    def _check_place(self, link: Link) -> None:
        expected = self.seq + 1
        if link.seq > expected:
            gone = f"Event {expected:,} is" if link.seq == expected + 1 else f"Events {expected:,} to {link.seq - 1:,} are"
            self._note("missing", expected, f"{gone} missing.")
        elif link.seq < expected:
            self._note("order", link.seq, f"Event {link.seq:,} stands where event {expected:,} should.")
        elif link.previous != self.hash:
            self._note("order", link.seq, f"Event {link.seq:,} does not follow event {self.seq:,} as that is now.")

    def _check_content(self, link: Link) -> None:
        if link.content is None or not self._signed(link.key_id, link.previous, link.content, link.hash, f"Event {link.seq:,}"):
            self._note("edited", link.seq, f"Event {link.seq:,} is not what was recorded: it was edited, moved or made up.")
        border = self._borders.get(link.seq)
        if border is not None and border != link.hash:
            self._note("segment", link.seq, f"Event {link.seq:,} is not the one that its closed segment ends with.")
        self._check_written(link.seq, link.hash)

    def _check_written(self, seq: int, hash: str) -> None:
        for head in self.heads.get(seq, ()):
            if head.hash != hash:
                self._note("head", seq, f"Event {seq:,} is another than the one that was written out on {head.at}.")

    def _signed(self, key_id: str, previous: str, content: Mapping[str, Any], signature: str, named: str) -> bool:
        """True, too, when the key cannot be opened: then it is only counted."""
        try:
            expected = mac(self.key_of(key_id), previous, content)
        except NoSuchKey:
            self._note("key", None, f"{named} names the key {key_id[:16]!r}, which is not there.")
            return True
        except Unreadable:
            self.unverified += 1
            return True
        except (ValueError, TypeError, RecursionError):  # no JSON, or a number that is none: not written by us
            return False
        return same_mac(expected, signature)

    def _note(self, kind: str, seq: int | None, detail: str) -> None:
        self.note(Problem(kind, seq, detail))
