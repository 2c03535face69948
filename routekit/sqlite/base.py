"""Django's SQLite backend, whose transactions take turns within a process, and whose closed connections are used again.

SQLite has one writer. Left to itself it makes the others poll with growing pauses (up to 100 ms), unfairly: with 500 threads
the slowest percentile of writes waited ten times as long as with a queue in memory. So the transactions of one process queue at
a lock, and the one whose turn it is polls the other processes every millisecond or two. Reads outside a transaction do neither.

Opening costs a millisecond (functions, pragmas, reading the schema), as much as a short transaction. A worker has hundreds of
threads that need a connection for moments, so a closed one waits for the next of them, up to IDLE of them.
"""

from __future__ import annotations

import os
import threading
import time
from sqlite3 import dbapi2 as Database  # as Django names it
from typing import Any, Final, NamedTuple

from django.db.backends.sqlite3 import base

BUSY_S: Final = 15
POLL_MS: Final = 3

IDLE: Final = 16

_turn = threading.Lock()
_idle_lock = threading.Lock()


class _Idle(NamedTuple):
    connection: Any
    inode: int


_idle: dict[str, list[_Idle]] = {}


def _inode(path: str) -> int | None:
    """What tells a database file from another that took its place; None for one in memory."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection, of one thread. It holds the turn from BEGIN IMMEDIATE to commit, rollback or close."""

    _has_turn = False

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        path = str(conn_params["database"])
        with _idle_lock:
            waiting = _idle.pop(path, [])
            _idle[path] = [kept for kept in waiting if kept.inode == _inode(path)]
            gone = [kept for kept in waiting if kept.inode != _inode(path)]
            found = _idle[path].pop() if _idle[path] else None
        for kept in gone:  # of a file that was since replaced
            kept.connection.close()
        return found.connection if found else super().get_new_connection(conn_params)

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
            return None if self._kept() else super()._close()  # type: ignore[misc]
        finally:
            self._give_turn()

    def _kept(self) -> bool:
        """Whether the connection was put aside for the next thread."""
        path = str(self.settings_dict["NAME"])
        inode = _inode(path)
        if self.connection is None or self.connection.in_transaction or inode is None:
            return False
        with _idle_lock:
            if len(_idle.setdefault(path, [])) >= IDLE:
                return False
            _idle[path].append(_Idle(self.connection, inode))
        return True

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
