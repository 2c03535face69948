"""How often and by whom a config was last used. Counted in memory, written once a minute a config: a run never waits for its row."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import F
from django.utils import timezone

from llmconfig.models import User, UserLLMConfig

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

WRITTEN_EVERY_S: Final = 60.0


@dataclass(slots=True)
class _Uses:
    count: int
    at: datetime
    by: UUID | None


class Uses:
    """Of one process. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: dict[UUID, _Uses] = {}
        self._written: dict[UUID, float] = {}

    def note(self, config: UUID, by: UUID | None) -> None:
        """One request of a run. Asks the database for nothing."""
        now = timezone.now()
        with self._lock:
            uses = self._noted.setdefault(config, _Uses(0, now, by))
            uses.count, uses.at, uses.by = uses.count + 1, now, by

    def are_due(self, *, at_once: bool = False) -> bool:
        with self._lock:
            return bool(self._due(at_once=at_once))

    def write(self, *, at_once: bool = False) -> int:
        """Write what is due, each config with one UPDATE; how many. at_once: all of it, since the process ends. What fails is kept."""
        due = self._take(at_once=at_once)
        written = 0
        try:
            for config, uses in due.items():
                by = User.objects.filter(pk=uses.by).values("pk") if uses.by else None  # null too for one who is gone by now
                UserLLMConfig.objects.filter(pk=config).update(uses=F("uses") + uses.count, last_used_at=uses.at, last_used_by=by)
                written += 1
        except BaseException:
            self._put_back(dict(list(due.items())[written:]))
            raise
        return written

    def _take(self, *, at_once: bool) -> dict[UUID, _Uses]:
        now = time.monotonic()
        with self._lock:
            due = self._due(at_once=at_once)
            self._written = {each: at for each, at in self._written.items() if now - at < WRITTEN_EVERY_S} | dict.fromkeys(due, now)
            return {each: self._noted.pop(each) for each in due}

    def _due(self, *, at_once: bool) -> list[UUID]:
        now = time.monotonic()
        return [each for each in self._noted if at_once or now - self._written.get(each, -WRITTEN_EVERY_S) >= WRITTEN_EVERY_S]

    def _put_back(self, unwritten: dict[UUID, _Uses]) -> None:
        with self._lock:
            for config, uses in unwritten.items():
                self._written.pop(config, None)
                if (newer := self._noted.get(config)) is not None:
                    newer.count += uses.count
                else:
                    self._noted[config] = uses


USES: Final = Uses()
