"""`$ROUTEKIT_HOME`: keys, facts, process ids, and the lock that lets one supervisor at a time use it.

keys/secret_key, keys/kek   made once, 0600; without them nothing that was sealed opens again
embedded.json               makes the mode embedded (routekit/env.py); the demo service's URL, the private hosts allowed
run/                        pid files, redis.url, Valkey's socket: of the running supervisor only
valkey/, demo/, attachments/, routekit.sqlite3, first-admin.txt
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
from typing import TYPE_CHECKING, Any, TypedDict

from llmconfig.private_files import write_private
from routekit.embedded.faults import StartError

if TYPE_CHECKING:
    from pathlib import Path

KEYS = ("secret_key", "kek")


class Facts(TypedDict):
    """embedded.json, which `routekit.env` reads."""

    demo_service_url: str
    private_hosts: list[str]


class Home:
    """One home, locked for this process from `open` on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = path / "run"
        self._lock = -1

    def open(self) -> None:
        """Makes what is missing and takes the lock. Raises StartError if another supervisor runs, or the folder cannot be written."""
        os.umask(0o077)  # what the services write here is their owner's, too
        try:
            for folder in (self.path, self.run, self.path / "keys", self.path / "valkey"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_lock()
            self._make_keys()
        except OSError as error:
            raise _cannot_write(self.path, error) from None

    def _take_lock(self) -> None:
        self._lock = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._lock, 32).decode().strip() or "unknown"
            raise StartError(
                f"routekit already runs on {self.path}, as process {pid}.",
                f"Use it, stop it (`kill {pid}`), or start a second one: `ROUTEKIT_HOME=.second PORT=8001 make up`.",
            ) from None
        os.ftruncate(self._lock, 0)
        os.write(self._lock, str(os.getpid()).encode())

    def _make_keys(self) -> None:
        for name in KEYS:
            path = self.path / "keys" / name
            if not path.exists():
                if self.facts_path.exists():
                    raise StartError(f"The key {path} is gone, and what it sealed cannot be read without it.", "Restore it from a backup.")
                write_private(path, secrets.token_urlsafe(48) + "\n")

    @property
    def facts_path(self) -> Path:
        return self.path / "embedded.json"

    def facts(self) -> Facts:
        """What embedded.json says; empty before the first start."""
        try:
            written: dict[str, Any] = json.loads(self.facts_path.read_text())
        except FileNotFoundError:
            written = {}
        except ValueError:
            raise StartError(f"{self.facts_path} is not valid JSON.", "Mend it, or remove it: the next start writes it anew.") from None
        return Facts(demo_service_url=written.get("demo_service_url", ""), private_hosts=written.get("private_hosts", []))

    def write_facts(self, facts: Facts) -> None:
        if facts != self.facts() or not self.facts_path.exists():
            write_private(self.facts_path, json.dumps(facts, indent=2) + "\n")

    def write_pid(self, name: str, pid: int | None) -> None:
        """Says which process a service is, or with None that it has ended."""
        path = self.run / f"{name}.pid"
        if pid is None:
            path.unlink(missing_ok=True)
        else:
            write_private(path, f"{pid}\n")


def _cannot_write(path: Path, error: OSError) -> StartError:
    if error.errno == errno.ENOSPC:
        return StartError(f"The disk of {path} is full.", "Free about 1 GB, or choose another folder: `ROUTEKIT_HOME=/path make up`.")
    where = error.filename or path
    return StartError(f"{where} cannot be written ({error.strerror}).", "Choose a folder that you own: `ROUTEKIT_HOME=/path make up`.")
