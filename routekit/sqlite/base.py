"""Django's SQLite backend, whose transactions take turns within a process.

SQLite has one writer. Left to itself it makes the others poll with growing pauses (up to 100 ms), unfairly: with 500 threads
the slowest percentile of writes waited ten times as long as with a queue in memory. So the transactions of one process queue at
a lock, and the one whose turn it is polls the other processes every millisecond or two. Reads outside a transaction do neither.
"""

from __future__ import annotations

import threading
import time
from sqlite3 import dbapi2 as Database  # as Django names it
from typing import Any, Final

from django.db.backends.sqlite3 import base

BUSY_S: Final = 15
POLL_MS: Final = 3

_turn = threading.Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection, of one thread. It holds the turn from BEGIN IMMEDIATE to commit, rollback or close."""

    _has_turn = False

    def _start_transaction_under_autocommit(self) -> None:
        self._take_turn()
        try:
            with self.wrap_database_errors:
                self._begin()
        except BaseException:
            self._give_turn()
            raise

    def _begin(self) -> None:
        """BEGIN IMMEDIATE, again and again until the writer of another process is done or the time is over."""
        assert self.connection is not None  # noqa: S101  # for the type checker
        deadline = time.monotonic() + BUSY_S
        self.connection.execute(f"PRAGMA busy_timeout = {POLL_MS}")
        try:
            while True:
                try:
                    self.connection.execute("BEGIN IMMEDIATE")
                except Database.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF != Database.SQLITE_BUSY or time.monotonic() > deadline:
                        raise
                else:
                    return
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000}")

    def _commit(self) -> Any:
        try:
            return super()._commit()  # type: ignore[misc]  # not in the stubs
        finally:
            if not self._in_transaction():
                self._give_turn()

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self._give_turn()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]
        finally:
            self._give_turn()

    def _in_transaction(self) -> bool:
        """Whether SQLite still is: a commit that found the database busy may be tried again."""
        return self.connection is not None and self.connection.in_transaction

    def _take_turn(self) -> None:
        if not self._has_turn:
            _turn.acquire()
            self._has_turn = True

    def _give_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            _turn.release()
