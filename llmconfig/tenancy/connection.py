"""The database connection of a thread that goes on without it."""

from __future__ import annotations

from django.db import connection


def release_connection() -> None:
    """Give this thread's connection back, unless a transaction is open: for who goes on without the database for long."""
    if not connection.in_atomic_block:
        connection.close()
