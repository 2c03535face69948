"""Making sure that a deleted row leaves the database's files, too."""

from __future__ import annotations

import logging

from django.db import DatabaseError, connection, transaction

logger = logging.getLogger(__name__)


def erase_deleted_keys() -> None:
    """Once the transaction has committed: what was deleted of the table of data keys leaves the files of the live database.

    SQLite overwrites deleted content in its pages (`secure_delete`), but the pages as they were lie in the write-ahead log until it is
    emptied. Postgres keeps a dead row until a VACUUM. Neither reaches a backup, a replica or a file system that keeps old blocks.
    """
    transaction.on_commit(_erase)


def _erase() -> None:
    if connection.in_atomic_block:  # a test's own transaction around this one
        return
    try:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                if cursor.fetchone()[0]:
                    logger.warning("The write-ahead log is in use and was not emptied: the next checkpoint overwrites the deleted key.")
            else:
                cursor.execute('VACUUM "llmconfig_datakey"')
    except DatabaseError as error:
        logger.warning("A deleted key could not be erased from the database's files at once: %s", error)
