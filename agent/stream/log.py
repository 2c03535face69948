"""What a run's event log is: its events, its keys in Valkey, its bounds.

One stream a run, entry ids `<seq>-0` with seq 1, 2, 3 … without gaps; fields `t` (type) and `d` (JSON text). Beside it the fence of the
last writer. Both keys carry the run's id as hash tag, so that a script over both stays on one node of a cluster.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TERMINAL: Final = frozenset({"run.completed", "run.failed", "run.cancelled"})
DELTAS: Final = frozenset({"text.delta", "thinking.delta"})

MAX_EVENTS: Final = 50_000
"""Entries kept of one run (about: Valkey trims whole nodes)."""
RUNNING_TTL_MS: Final = 24 * 3600 * 1000
ENDED_TTL_MS: Final = 3600 * 1000


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One event of a run. data: JSON text, encoded once by the writer and passed on untouched."""

    seq: int
    type: str
    data: str

    @classmethod
    def of(cls, seq: int, type: str, data: Mapping[str, Any]) -> RunEvent:
        return cls(seq, type, dumps(data))


class LogError(Exception):
    """Base of what the log refuses.

    LogError
    ├── LogStale      a writer with a higher fence has taken the run over
    ├── LogConflict   the events do not follow the last one stored; `last` is its seq
    └── LogExpired    what the reader asks for is no longer kept: read the run and its messages instead
    """


class LogStale(LogError):
    pass


class LogConflict(LogError):
    def __init__(self, last: int) -> None:
        super().__init__(f"The log stands at {last}.")
        self.last = last


class LogExpired(LogError):
    pass


def stream_key(run_id: str) -> str:
    return f"routekit:run:{{{run_id}}}"


def fence_key(run_id: str) -> str:
    return f"routekit:run:{{{run_id}}}:fence"


def ttl_ms(type: str) -> int:
    """How long the log is kept after an event of this type."""
    return ENDED_TTL_MS if type in TERMINAL else RUNNING_TTL_MS


def dumps(data: Mapping[str, Any]) -> str:
    """JSON text that UTF-8 can carry: a lone surrogate (half a character a model cut in two) leaves escaped, as JSON allows."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text if text.isascii() or _is_utf8(text) else json.dumps(data, allow_nan=False, separators=(",", ":"))


def dumps_text(text: str) -> str:
    """`dumps({"text": text})`, without the price of a general encoder: every delta passes here."""
    quoted = encode_basestring(text)
    return f'{{"text":{quoted}}}' if quoted.isascii() or _is_utf8(quoted) else f'{{"text":{encode_basestring_ascii(text)}}}'


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
