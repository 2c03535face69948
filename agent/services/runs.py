"""Runs: find them, cancel them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, Prefetch
from django.utils import timezone

from agent.models import Run, Step, ToolCall
from llmconfig.tenancy.connection import release_connection

if TYPE_CHECKING:
    from uuid import UUID

    from llmconfig.tenancy.caller import Caller

_OVER = (Run.Status.COMPLETED, Run.Status.FAILED, Run.Status.CANCELLED)


def run_for(caller: Caller, run_id: UUID) -> Run:
    """The caller's own run. Raises DoesNotExist for any other: conversations are their owner's alone."""
    return Run.objects.filter(organization=caller.organization, user=caller.user).get(id=run_id)


def run_whole(caller: Caller, run_id: UUID) -> Run:
    """A run with its steps, attempts and tool calls: four queries, whatever its length."""
    steps = Prefetch("steps", Step.objects.prefetch_related("attempts", "tool_calls"))
    return Run.objects.filter(organization=caller.organization, user=caller.user).prefetch_related(steps).get(id=run_id)


def is_over(run_id: UUID) -> bool:
    """Asked by a stream of events now and then, which meanwhile holds no connection: there are more streams than connections."""
    try:
        return Run.objects.filter(id=run_id, status__in=_OVER).exists()
    finally:
        release_connection()


def cancel_run(*, caller: Caller, run_id: UUID) -> Run:
    """Stop a run: a queued or waiting one ends here, a running one through its worker, which keeps what was said. An ended one stays."""
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(organization=caller.organization, user=caller.user).get(id=run_id)
        stop_run(run)
    run.refresh_from_db()
    return run


def stop_run(run: Run) -> None:
    """Inside a transaction that holds the run's row."""
    from agent.services import live  # noqa: PLC0415  # Valkey's client takes 0.2 s to import, which `manage.py check` need not pay

    now = timezone.now()
    if run.status == Run.Status.RUNNING:
        Run.objects.filter(id=run.id).update(cancel_requested_at=now)
        transaction.on_commit(lambda: live.tell_worker(run.id))
    elif run.status in (Run.Status.QUEUED, Run.Status.WAITING_APPROVAL):
        Run.objects.filter(id=run.id).update(
            status=Run.Status.CANCELLED, fence=F("fence") + 1, cancel_requested_at=now, finished_at=now, lease_owner=""
        )
        ToolCall.objects.filter(step__run=run, status=ToolCall.Status.WAITING).update(status=ToolCall.Status.EXPIRED)
        fence, known = run.fence + 1, run.event_seq
        transaction.on_commit(lambda: live.log_cancelled(run.id, fence, known))
