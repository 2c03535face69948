"""Deletes conversations that nobody has touched for as long as their organization keeps them."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils import timezone

from agent.models import Conversation, Run
from agent.services.erasure import erase_conversations
from llmconfig.tenancy.audit import SYSTEM, record
from llmconfig.tenancy.connection import release_connection
from llmconfig.tenancy.models import Organization

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

logger = logging.getLogger(__name__)
AT_ONCE: Final = 50
"""Conversations of one transaction: on SQLite everybody else's writes wait for it."""


def apply_retention() -> int:
    """How many conversations went. What goes wrong with one organization stops no other's."""
    deleted, now = 0, timezone.now()
    for id, days in Organization.objects.filter(retention_days__isnull=False).values_list("id", "retention_days"):
        try:
            deleted += _apply(id, days or 0, now)
        except Exception:
            logger.exception("The retention of organization %s could not be applied", id)
        finally:
            release_connection()
    return deleted


def _apply(organization: UUID, days: int, now: datetime) -> int:
    before = now - timedelta(days=days)
    total = 0
    while count := _delete_some(organization, before):
        total += count
    if total:
        details = {"conversations": total, "retention_days": days, "untouched_since": before}
        record("retention.applied", actor=SYSTEM, organization=organization, details=details)
    return total


@transaction.atomic
def _delete_some(organization: UUID, before: datetime) -> int:
    """Those with an active run are left for another day: something is still said in them."""
    active = Run.objects.filter(organization=organization, status__in=Run.ACTIVE, conversation__isnull=False).values("conversation")
    stale = Conversation.objects.filter(organization=organization, updated_at__lt=before).exclude(id__in=active)
    ids = list(stale.order_by("updated_at").values_list("id", flat=True)[:AT_ONCE])
    rows = Conversation.objects.filter(id__in=ids, updated_at__lt=before).exclude(id__in=active)
    locked = list(rows.order_by("id").select_for_update(of=("self",)).values_list("id", flat=True))
    erase_conversations(locked)
    return len(locked)
