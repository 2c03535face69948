"""Whether the KEK opens what the database holds, by trying one data key."""

from __future__ import annotations

from django.db import DatabaseError

from llmconfig.models import DataKey
from llmconfig.tenancy.keys import data_key_named
from llmconfig.vault import Unreadable


def kek_problem() -> str:
    """What is wrong, or "". Nothing is wrong with a database that has no keys or no tables yet."""
    try:
        newest = DataKey.objects.order_by("-created_at").first()
    except DatabaseError:
        return ""
    if newest is None:
        return ""
    try:
        data_key_named(newest.organization_id, newest.key_id)
    except Unreadable:
        return "The KEK is not the one that this database's keys were made with: configs will show as unreadable."
    return ""
