"""Units of work of a worker: one transaction, one connection, given back at once.

SQLite has one writer, so the units of a process take turns: a queue in memory is fair and fast where SQLite's own waiting is
neither (design.md has the figures).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from django.db import connection, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

_one_writer = threading.Lock()


@contextmanager
def unit_of_work() -> Iterator[None]:
    with _one_writer if connection.vendor == "sqlite" else nullcontext():
        try:
            with transaction.atomic():
                yield
        finally:
            if not connection.in_atomic_block:
                connection.close()
