"""Units of work of a worker: one transaction, one connection, given back at once."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from django.db import transaction

from llmconfig.tenancy.connection import release_connection

if TYPE_CHECKING:
    from collections.abc import Iterator


AT_ONCE: Final = 4
"""Units of a process under way together. More would only contend, for the interpreter's lock and for connections."""

_places = threading.BoundedSemaphore(AT_ONCE)


@contextmanager
def unit_of_work() -> Iterator[None]:
    """A run's thread lives as long as the run; a connection it kept would be one of hundreds."""
    with _places:
        try:
            with transaction.atomic():
                yield
        finally:
            release_connection()


@contextmanager
def reading() -> Iterator[None]:
    """What only reads needs no transaction: on SQLite one would keep every other process from writing meanwhile."""
    with _places:
        try:
            yield
        finally:
            release_connection()
