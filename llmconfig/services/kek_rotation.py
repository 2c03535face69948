"""The whole of a KEK's rotation: add, promote, rewrap, retire. routekit does the first and last where the KEK's files are its own."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Self

from django.conf import settings

from llmconfig.services.kek import keys_by_root, keys_elsewhere, rewrap_keys
from llmconfig.services.kek_files import KekFiles
from llmconfig.tenancy.keyring import follow, root_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmconfig.tenancy.audit import Actor


def kek_status() -> list[str]:
    """A line for each root key that wraps something."""
    follow()
    root = root_key()
    lines = []
    for root_id, number in sorted(keys_by_root().items()):
        state = "current" if root_id == root.key_id else "another that opens" if root.knows(root_id) else "not here"
        lines.append(f"KEK {root_id} ({state}) wraps {number:,} key{'' if number == 1 else 's'}")
    return lines


class KekRotation(contextlib.ExitStack):
    """One at a time where the files are ours. Raises BlockingIOError while another goes on."""

    def __init__(self, *, actor: Actor, say: Callable[[str], None]) -> None:
        super().__init__()
        self._actor, self._say = actor, say
        self._files = KekFiles(*settings.KEYRING_FILES) if settings.KEYRING_IS_OURS and not settings.ROOT_KEY else None

    def __enter__(self) -> Self:
        if self._files:
            self.enter_context(self._files.locked())
        return self

    def run(self, *, wait: bool) -> list[str]:
        """What could not be opened. wait: for what is under way with the old KEK, so that it can be retired at once."""
        if self._files:
            made = self._files.promote()
            follow()
            self._say(f"{'New KEK' if made else 'A rotation goes on: KEK'} {root_key().key_id}")
        stuck = self._rewrap()
        if self._files:
            self._retire(self._files, wait=wait)
        else:
            self._tell_the_operator()
        return stuck

    def _rewrap(self) -> list[str]:
        result = rewrap_keys(actor=self._actor)
        self._say(f"{result.keys:,} key{'' if result.keys == 1 else 's'} wrapped anew under KEK {root_key().key_id}")
        return result.stuck

    def _retire(self, files: KekFiles, *, wait: bool) -> None:
        """The old KEK goes once nothing is left under it, and nobody who knew no better can still store something."""
        seconds = settings.ROTATION_GRACE_S - files.seconds_since_promotion()
        if seconds > 0 and wait:
            self._say(f"Waiting {seconds:.0f} s for what is under way with the old KEK…")
            time.sleep(seconds)
            self._rewrap()
        if (seconds > 0 and not wait) or keys_elsewhere():
            self._say("The old KEK stays among the others for now: run `rotate_keys --kek` again to retire it.")
            return
        files.retire()
        follow()
        self._say("The old KEK is retired. Backups of the database from before today need it: keep it with them, or keep neither.")

    def _tell_the_operator(self) -> None:
        left = keys_elsewhere()
        if left:
            self._say(f"{left:,} keys are still under another KEK: run the command again, and leave KEK_OTHERS as it is.")
        else:
            self._say("Nothing is left under another KEK. Once every process runs with the present one, empty KEK_OTHERS and restart them.")
