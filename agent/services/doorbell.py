"""Rings for a worker: a Celery message that carries a run's id and nothing else."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from agent.models import Run

if TYPE_CHECKING:
    from uuid import UUID

logger = logging.getLogger(__name__)


def nudge(run_id: UUID) -> None:
    """Ring the doorbell once the transaction has committed. A lost ring is repeated by the sweeper."""
    Run.objects.filter(id=run_id).update(nudged_at=timezone.now())
    ring(run_id)


def ring(run_id: UUID) -> None:
    """The same for a run whose `nudged_at` is written already."""
    transaction.on_commit(lambda: _send(run_id))


def _send(run_id: UUID) -> None:
    try:
        _celery().send_task("agent.tasks.run_conversation", (str(run_id),), ignore_result=True)
    except Exception:  # noqa: BLE001  # the broker is away: whatever it raises, the run is safe in the database
        logger.warning("Run %s is queued but the broker could not be told; the sweeper will.", run_id)


def preload() -> None:
    """Import what ringing needs, which takes 0.3 s, and connect: the first message should not wait for it."""
    try:
        with _celery().producer_pool.acquire(block=True) as producer:
            producer.connection.ensure_connection(max_retries=1, timeout=2)
    except Exception as error:  # noqa: BLE001  # whatever the broker's absence raises; the first message tries again
        logger.warning("The broker does not answer yet: %s", error)


@cache
def _celery() -> Any:
    """The application that settings name: `agent` does not import what is built upon it, and Celery's 0.3 s are spent when needed."""
    return import_string(settings.CELERY_APP)
