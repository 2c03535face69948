"""The bytes of SQLite's files, read by another process.

Whoever closes a file drops every lock that its process holds on it (POSIX), SQLite's own among them: the next process that leaves
would take itself for the last, and remove the log that this one still writes.
"""

from __future__ import annotations

import subprocess
from pathlib import Path


def database_files(path: str | Path) -> dict[str, bytes]:
    """By name: the database, its log, its index."""
    database = Path(path)
    files = sorted(database.parent.glob(f"{database.name}*"))
    return {file.name: subprocess.run(["cat", file], capture_output=True, check=True).stdout for file in files}
