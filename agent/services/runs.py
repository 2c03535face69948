"""Runs: find them, cancel them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Prefetch
from django.utils import timezone
from redis.exceptions import RedisError

from agent.models import Run, Step, ToolCall
from agent.services.live import valkey
from agent.stream import LogError, RunEvent, append, publish_cancel, take

if TYPE_CHECKING:
    from uuid import UUID

    from llmconfig.tenancy.caller import Caller

logger = logging.getLogger(__name__)
_OVER = (Run.Status.COMPLETED, Run.Status.FAILED, Run.Status.CANCELLED)


def run_for(caller: Caller, run_id: UUID) -> Run:
    """The caller's own run. Raises DoesNotExist for any other: conversations are their owner's alone."""
    return Run.objects.filter(organization=caller.organization, user=caller.user).get(id=run_id)


def run_whole(caller: Caller, run_id: UUID) -> Run:
    """A run with its steps, attempts and tool calls: four queries, whatever its length."""
    steps = Prefetch("steps", Step.objects.prefetch_related("attempts", "tool_calls"))
    return Run.objects.filter(organization=caller.organization, user=caller.user).prefetch_related(steps).get(id=run_id)


def is_over(run_id: UUID) -> bool:
    return Run.objects.filter(id=run_id, status__in=_OVER).exists()


def cancel_run(*, caller: Caller, run_id: UUID) -> Run:
    """Stop a run: a queued or waiting one ends here, a running one through its worker, which keeps what was said. An ended one stays."""
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(organization=caller.organization, user=caller.user).get(id=run_id)
        now = timezone.now()
        if run.status == Run.Status.RUNNING:
            Run.objects.filter(id=run_id).update(cancel_requested_at=now)
            transaction.on_commit(lambda: _tell_worker(run_id))
        elif run.status in (Run.Status.QUEUED, Run.Status.WAITING_APPROVAL):
            Run.objects.filter(id=run_id).update(
                status=Run.Status.CANCELLED, fence=F("fence") + 1, cancel_requested_at=now, finished_at=now, lease_owner=""
            )
            ToolCall.objects.filter(step__run=run, status=ToolCall.Status.WAITING).update(status=ToolCall.Status.EXPIRED)
            fence, known = run.fence + 1, run.event_seq
            transaction.on_commit(lambda: _log_cancelled(run_id, fence, known))
    run.refresh_from_db()
    return run


def _tell_worker(run_id: UUID) -> None:
    try:
        publish_cancel(valkey(), str(run_id))
    except (RedisError, OSError) as error:
        logger.warning("Run %s: the cancel could not be published (%s); the worker's heartbeat will find it.", run_id, error)


def _log_cancelled(run_id: UUID, fence: int, known: int) -> None:
    """Close the log of a run that no worker holds. Without Valkey the log stays open and readers learn it from the row."""
    try:
        stored = take(valkey(), str(run_id), fence)
        last = max(stored, known)
        append(valkey(), str(run_id), fence, [RunEvent.of(last + 1, "run.cancelled", {})], over_loss=known > stored)
    except (RedisError, LogError, OSError) as error:
        logger.warning("Run %s was cancelled; its log could not be told: %s", run_id, error)
