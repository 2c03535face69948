"""Events of one run on their way to Valkey: numbered, merged, packed. Pure; the flusher does the I/O.

Deltas merge before they get a number, so that seqs have no gaps: a delta opens an event, the deltas after it grow that event until it is
sealed, which happens when something else is emitted or when a batch is cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agent.stream import script
from agent.stream.log import DELTAS, MAX_EVENTS, RUNNING_TTL_MS, dumps, dumps_text, fence_key, stream_key, ttl_ms
from agent.stream.resp import bulk

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCH_EVENTS: Final = 500
BATCH_BYTES: Final = 1 << 20
"""What one run may send in one round trip. While more than that waits, deltas grow one event: a backlog is as large as the answer."""

_TYPE: Final = {type: bulk(type) for type in DELTAS}


class Pending:
    """seq: the last seq handed out. stored: the last seq known to be in Valkey. fence and last_seq as the writer holds them."""

    __slots__ = ("_cut", "_doubt", "_head", "_held", "_last_type", "_open", "_over_loss", "_sealed", "_ttl", "lost", "seq", "stored")

    def __init__(self, run_id: str, fence: int, last_seq: int) -> None:
        self.seq = self.stored = last_seq
        self.lost = False
        head: tuple[str | int, ...] = ("EVALSHA", script.SHA, 2, stream_key(run_id), fence_key(run_id), fence)
        self._head = b"".join(map(bulk, head))
        self._sealed: list[bytes] = []  # type and data of seqs stored+1 …, as they go over the wire
        self._open: list[str] = []  # the texts of event `seq`, a delta that still grows
        self._last_type = ""
        self._ttl = RUNNING_TTL_MS
        self._cut = 0  # events of the batch in flight
        self._doubt = 0  # events of a batch that may or may not have been stored
        self._held = False
        self._over_loss = False

    def add(self, type: str, data: Mapping[str, Any]) -> bool:
        """Take one event; its seq is `seq` afterwards. True when it should go out at once rather than with the next tick."""
        if type in DELTAS:
            text = data["text"]
            if not isinstance(text, str):
                raise TypeError(f"The text of {type} is a {text.__class__.__name__}")
            if self._open and type == self._last_type:
                self._open.append(text)
                return False
            self._seal()
            self._open.append(text)
            first = type != self._last_type
        else:
            packed = bulk(type) + bulk(dumps(data))
            self._seal()
            self._sealed.append(packed)
            self._ttl = ttl_ms(type)
            first = True
        self.seq += 1
        self._last_type = type
        return first

    def cut(self) -> bytes | None:
        """The next batch as one packed command, or None when nothing waits. `settle` or `doubt` must follow before the next cut."""
        if not self._held:
            self._seal()
        if not self._sealed:
            return None
        size = self._cut = 0
        for packed in self._sealed[:BATCH_EVENTS]:
            size += len(packed)
            self._cut += 1
            if size >= BATCH_BYTES:
                break
        self._held = self._cut < len(self._sealed)
        numbers = map(bulk, (self.stored + 1, int(self._over_loss), MAX_EVENTS, self._ttl))
        return b"".join((b"*%d\r\n" % (10 + 2 * self._cut), self._head, *numbers, *self._sealed[: self._cut]))

    def settle(self, reply: int) -> None:
        """The script's reply to the batch. A refusal leads to another cut, or to `lost`."""
        stored = script.refused_at(reply)
        if reply == script.STALE:
            self.give_up()
        elif stored is None:
            self._drop(self._cut)
            self._over_loss = False
        elif self.stored < stored <= self.stored + self._doubt:
            self._drop(stored - self.stored)  # our own, from a round trip whose reply was lost
        elif stored < self.stored:
            self._over_loss = True  # Valkey came back with less than it had; readers see the hole and turn to the rows
        else:
            self.give_up()  # someone else has written under our fence
        self._doubt = 0

    def doubt(self) -> None:
        """The round trip failed: the batch may have been stored. What came since is not sealed until that is known."""
        self._doubt = max(self._doubt, self._cut)
        self._held = True

    def give_up(self) -> None:
        """The run is another writer's: forget what waits."""
        self.lost = True
        self._sealed.clear()
        self._open.clear()

    @property
    def sealed(self) -> bool:
        """Whether events wait that can grow no more."""
        return bool(self._sealed)

    @property
    def growing(self) -> bool:
        """Whether a delta waits that may still grow."""
        return bool(self._open)

    def _seal(self) -> None:
        if self._open:
            self._sealed.append(_TYPE[self._last_type] + bulk(dumps_text("".join(self._open))))
            self._open.clear()

    def _drop(self, count: int) -> None:
        del self._sealed[:count]
        self.stored += count
        self._held = self._held and bool(self._sealed)
