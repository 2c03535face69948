"""Where the demo service keeps its records: one small SQLite file, so that what a tool changed is still changed after a restart."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Record: TypeAlias = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    kind TEXT NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (kind TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
"""


class Store:
    """Records by kind and number. A number is never given twice, also not after a deletion."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)

    def seed(self, kind: str, first: int, records: Iterable[Mapping[str, Any]]) -> None:
        """Give a kind its first records; a kind that has been seeded keeps what became of it."""
        if self._db.execute("SELECT 1 FROM counter WHERE kind = ?", (kind,)).fetchone():
            return
        rows = [(kind, number, json.dumps(record)) for number, record in enumerate(records, first)]
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT INTO record VALUES (?, ?, ?)", rows)
            self._db.execute("INSERT INTO counter VALUES (?, ?)", (kind, first + len(rows) - 1))

    def get(self, kind: str, number: int) -> Record | None:
        row = self._db.execute("SELECT body FROM record WHERE kind = ? AND number = ?", (kind, number)).fetchone()
        return None if row is None else json.loads(row[0])

    def all(self, kind: str) -> list[tuple[int, Record]]:
        rows = self._db.execute("SELECT number, body FROM record WHERE kind = ? ORDER BY number", (kind,))
        return [(number, json.loads(body)) for number, body in rows]

    def add(self, kind: str, record: Mapping[str, Any]) -> int:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            row = self._db.execute("UPDATE counter SET last = last + 1 WHERE kind = ? RETURNING last", (kind,)).fetchone()
            self._db.execute("INSERT INTO record VALUES (?, ?, ?)", (kind, row[0], json.dumps(record)))
        return int(row[0])

    def replace(self, kind: str, number: int, record: Mapping[str, Any]) -> None:
        self._db.execute("UPDATE record SET body = ? WHERE kind = ? AND number = ?", (json.dumps(record), kind, number))

    def delete(self, kind: str, number: int) -> None:
        self._db.execute("DELETE FROM record WHERE kind = ? AND number = ?", (kind, number))

    def close(self) -> None:
        self._db.close()


def number_of(prefix: str, text: str) -> int | None:
    """1030 of "T-1030", also of "t-1030" or plain "1030", as people and models write it; None for anything else."""
    digits = text.strip().upper().removeprefix(f"{prefix}-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else None


def matches(query: str, *fields: str) -> bool:
    """Whether every word of query occurs somewhere in fields; an empty query matches all."""
    text = " ".join(fields).casefold()
    return all(word in text for word in query.casefold().split())
