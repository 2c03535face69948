"""Whether the root key opens what the database holds: judged at the start of every process, by trying the current data keys."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError

from llmconfig.models import DataKey
from llmconfig.tenancy.connection import release_connection
from llmconfig.tenancy.keyring import follow, root_key
from llmconfig.tenancy.keys import unwrapped
from llmconfig.vault import Unreadable, root_id_of

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)
_TRIED: Final = 200
"""Keys that are unwrapped: beyond these, whose root key is known is taken for openable, so that a start stays quick."""


def kek_problem() -> str:
    """What is wrong, or "". Nothing is wrong with a database that has no keys or no tables yet."""
    try:
        judged = list(_judged())
    except DatabaseError:
        return ""
    closed = judged.count(False)
    if not closed:
        return ""
    return (
        f"The KEK does not open the data keys of {closed} of {len(judged)} organization{'' if len(judged) == 1 else 's'}: their configs "
        "show as unreadable, and nothing is overwritten."
    )


def warn_at_start() -> None:
    """For the log of a process that starts. Never raises."""
    try:
        if problem := kek_problem():
            logger.warning("%s Restore the KEK that this data was made with: set it as KEK, or among KEK_OTHERS.", problem)
    except Exception:
        logger.exception("Whether the KEK fits the data could not be judged")
    finally:
        release_connection()


def _judged() -> Iterator[bool]:
    """Of each organization's current data key, whether it opens."""
    follow()
    root, tried = root_key(), 0
    for row in DataKey.objects.filter(retired_at=None).order_by("-created_at").iterator(chunk_size=1000):
        wrapped = bytes(row.wrapped)
        if not root.knows(root_id_of(wrapped)) or tried >= _TRIED:
            yield root.knows(root_id_of(wrapped))
            continue
        tried += 1
        try:
            unwrapped(str(row.organization_id), row.key_id, wrapped)
            yield True
        except Unreadable:
            yield False
