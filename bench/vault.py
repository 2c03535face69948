"""What sealing costs: one value sealed and opened, 100,000 rotated on SQLite, and a commit with and without erasing what it deletes.

python -m bench vault                 or, with another number of rows: python -m bench.vault ROWS
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from timeit import repeat
from typing import TYPE_CHECKING, Any

from bench.table import Row, table

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "sk-ant-api03-" + "k" * 95


def main(rows: int = 100_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _start(Path(folder))
        table("Sealing, µs a value (promised: at most 100)", _sealing())
        table(f"Rotating {rows:,} values on SQLite (promised: at most 60 s for 100,000)", _rotating(rows))
        table("Deleting on SQLite, µs a row in transactions of one, five runs each by turns", _deleting(Path(folder)))
        from django.db import connections

        connections.close_all()


def _start(folder: Path) -> None:
    os.environ.update(
        DJANGO_SETTINGS_MODULE="routekit.settings",
        SECRET_KEY="bench-secret-key-9f8b2c71d4e6a0354b7d2e90",
        KEK="bench-key-encryption-key-3d7e90ab51c8f264",
        DATABASE_URL=f"sqlite:///{folder}/bench.sqlite3",
        ROUTEKIT_HOME=str(folder),
        ROUTEKIT_ROTATION_GRACE="0",
    )
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def _us(work: Callable[[], object]) -> float:
    return min(repeat(work, number=2000, repeat=5)) / 2000 * 1e6


def _sealing() -> list[Row]:
    from llmconfig.llm import Secret
    from llmconfig.tenancy.keys import open_for, seal_for
    from llmconfig.tenancy.sealed import Sealed
    from llmconfig.vault import Context, new_data_key, open_sealed, seal

    key, secret, context = new_data_key(), Secret(KEY), Context("llmconfig_userllmconfig", "api_key", "o" * 36, "1", "r" * 36)
    text = seal(secret, context, key)
    row = _rows(1)[0]
    row.api_key = Sealed(seal_for(row, "api_key", secret))
    return [
        Row("seal", _us(lambda: seal(secret, context, key))),
        Row("open", _us(lambda: open_sealed(text, context, key))),
        Row("seal, with its key from the database", _us(lambda: seal_for(row, "api_key", secret))),
        Row("open, with its key from the database", _us(lambda: open_for(row, "api_key"))),
    ]


def _rows(number: int) -> list[Any]:
    from llmconfig.models import UserLLMConfig
    from llmconfig.tenancy.accounts import create_user_with_organization

    user = create_user_with_organization(username=f"bench-{number}")
    organization = user.memberships.get().organization
    return [UserLLMConfig(organization=organization, owner=user, provider_type="anthropic", name=f"{each}") for each in range(number)]


def _rotating(number: int) -> list[Row]:
    from llmconfig.llm import Secret
    from llmconfig.models import UserLLMConfig
    from llmconfig.services import finish_rotations, promote_data_key, reseal_organization
    from llmconfig.tenancy.audit import SYSTEM
    from llmconfig.tenancy.keys import context_of, data_key_for
    from llmconfig.tenancy.sealed import Sealed
    from llmconfig.vault import seal

    rows = _rows(number)
    organization = rows[0].organization
    key = data_key_for(organization.pk)
    for row in rows:
        row.api_key = Sealed(seal(Secret(KEY), context_of(row, "api_key"), key))
    UserLLMConfig.objects.bulk_create(rows, batch_size=1000)
    started, cpu = time.perf_counter(), time.process_time()
    promote_data_key(organization=organization, actor=SYSTEM)
    result = reseal_organization(organization.pk)
    taken, used = time.perf_counter() - started, time.process_time() - cpu
    assert (result.values, result.stuck, finish_rotations()) == (number, set(), 1)
    return [Row("seconds", taken), Row("seconds of CPU", used), Row("µs of CPU a value", used / number * 1e6)]


def _deleting(folder: Path, rows: int = 2000) -> list[Row]:
    """secure_delete overwrites what is deleted."""
    taken: dict[str, list[float]] = {"ON": [], "OFF": []}
    for _ in range(5):
        for mode, seconds in taken.items():
            path = folder / f"{mode}.sqlite3"
            path.unlink(missing_ok=True)
            with closing(sqlite3.connect(path, isolation_level=None)) as database:
                database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete={mode};")
                database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT)")
                database.executemany("INSERT INTO t (body) VALUES (?)", [("x" * 400,)] * rows)
                started = time.perf_counter()
                for number in range(rows):
                    database.execute("DELETE FROM t WHERE id = ?", (number + 1,))
                seconds.append((time.perf_counter() - started) / rows * 1e6)
    on, off = statistics.median(taken["ON"]), statistics.median(taken["OFF"])
    return [Row("secure_delete=ON", on), Row("secure_delete=OFF", off), Row("ratio", on / off)]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
