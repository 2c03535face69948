"""The files of the KEK that routekit writes itself: those of the embedded mode, under ROUTEKIT_HOME/keys.

Whenever a process is killed here, both KEKs are on the disk, and what is read is whole: each file is replaced, and written through to the
disk before anything is wrapped under a new KEK.

    add       kek = old          kek_others = old new
    promote   kek = new          kek_others = old new
    retire    kek = new          (none)
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmconfig.private_files import sync_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class KekFiles:
    kek: Path
    others: Path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One rotation of the KEK at a time. Raises BlockingIOError while another goes on."""
        descriptor = os.open(self.kek.with_name("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(descriptor)

    def promote(self) -> bool:
        """Make a new KEK the current one; False when one was promoted before and the old one is not retired yet."""
        current, others = self.kek.read_text().strip(), self._others()
        if others and others[0] != current:  # the KEK to be replaced stands first until it is
            return False
        fresh = next((other for other in others if other != current), None) or secrets.token_urlsafe(48)
        write_private(self.others, f"{current}\n{fresh}\n")
        write_private(self.kek, f"{fresh}\n")
        return True

    def retire(self) -> None:
        self.others.unlink(missing_ok=True)
        sync_folder(self.others.parent)

    def seconds_since_promotion(self) -> float:
        return max(0.0, time.time() - self.kek.stat().st_mtime)

    def has_others(self) -> bool:
        return bool(self._others())

    def _others(self) -> list[str]:
        return self.others.read_text().split() if self.others.exists() else []
