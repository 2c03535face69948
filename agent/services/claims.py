"""Who may work on a run: claims by conditional UPDATE, with a lease and a fencing number."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from agent.models import Run, ToolCall
from agent.services.access import revoked
from agent.services.doorbell import nudge
from agent.services.recorded import note_call
from agent.services.units import unit_of_work
from llmconfig.tenancy.audit import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from uuid import UUID

_EXPIRED_AT_ONCE: Final = 200
WORKER = f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Claim:
    run: UUID
    fence: int

    @property
    def is_first(self) -> bool:
        """Nobody has held this run before, so nothing of it is in the log."""
        return self.fence == 1


def claim_run(run_id: UUID) -> Claim | None:
    """Take a queued run, or one whose worker let its lease lapse. None when there is nothing to take. Call inside a unit of work."""
    now = timezone.now()
    free = Q(status=Run.Status.QUEUED) | Q(status=Run.Status.RUNNING, lease_expires_at__lt=now)
    taken = Run.objects.filter(free, id=run_id).update(
        status=Run.Status.RUNNING,
        fence=F("fence") + 1,
        lease_owner=WORKER,
        lease_expires_at=now + timedelta(seconds=settings.LEASE_S),
        started_at=Coalesce("started_at", now),
    )
    if not taken:
        return None
    return Claim(run_id, Run.objects.values_list("fence", flat=True).get(id=run_id))


@dataclass(frozen=True, slots=True)
class Stopped:
    """A run that is to stop: a person asked for it, it may not go on, or it is there no more. detail: why it may not, in words."""

    reason: Literal["user", "revoked", "stale"]
    detail: str = ""


def heartbeat(claims: Collection[Claim]) -> Mapping[UUID, Stopped]:
    """Prolong the leases of these claims in one UPDATE; the runs among them that are to stop, found with one query for each reason.

    A claim that was lost simply is not prolonged: its next write is refused by the fence.
    """
    ids = [claim.run for claim in claims]
    with unit_of_work():
        mine = Run.objects.filter(id__in=ids, status=Run.Status.RUNNING, lease_owner=WORKER)
        prolonged = mine.update(lease_expires_at=timezone.now() + timedelta(seconds=settings.LEASE_S))
        gone = set(ids) - set(Run.objects.filter(id__in=ids).values_list("id", flat=True)) if prolonged < len(ids) else ()
        cancelled = mine.filter(cancel_requested_at__isnull=False).values_list("id", flat=True)
        return {
            **{run_id: Stopped("stale") for run_id in gone},
            **{run_id: Stopped("revoked", why) for run_id, why in revoked(mine).items()},
            **{run_id: Stopped("user") for run_id in cancelled},
        }


def sweep() -> int:
    """Find what no worker holds: lapsed leases, queued runs whose nudge was lost, approvals nobody gave in time or may give any more.

    How many runs were nudged.
    """
    now = timezone.now()
    patience = now - timedelta(seconds=settings.LEASE_S)
    with unit_of_work():
        expired, calls = _expire_approvals()
        expired |= _end_waiting()
        forgotten = Q(status=Run.Status.QUEUED) & (Q(nudged_at__isnull=True) | Q(nudged_at__lt=patience))
        lapsed = Q(status=Run.Status.RUNNING, lease_expires_at__lt=now) & (Q(nudged_at__isnull=True) | Q(nudged_at__lt=patience))
        lost = set(Run.objects.filter(forgotten | lapsed).values_list("id", flat=True)[:500])
        for run_id in lost | expired:
            nudge(run_id)
        for call in sorted(calls, key=lambda each: str(each.step.run.organization_id)):  # chains are locked until the commit
            note_call("tool_call.expired", SYSTEM, call)
    return len(lost | expired)


def _expire_approvals() -> tuple[set[UUID], list[ToolCall]]:
    """Close questions whose time is over: the runs that can go on because none of theirs is open any more, and the calls."""
    now = timezone.now()
    overdue = ToolCall.objects.filter(status=ToolCall.Status.WAITING, expires_at__lt=now).select_related("step__run")
    closed = [call for call in overdue[:_EXPIRED_AT_ONCE] if _expire(call, now)]
    return {run_id for run_id in {call.step.run_id for call in closed} if requeue_if_decided(run_id)}, closed


def _expire(call: ToolCall, now: datetime) -> bool:
    """False when a person was quicker."""
    waiting = ToolCall.objects.filter(id=call.id, status=ToolCall.Status.WAITING)
    return bool(waiting.update(status=ToolCall.Status.EXPIRED, decided_at=now, is_decision_announced=False))


def _end_waiting() -> set[UUID]:
    """Queue waiting runs that may not go on: whoever claims one sees that, and ends it."""
    waiting = Run.objects.filter(status=Run.Status.WAITING_APPROVAL)
    lost = list(revoked(waiting))[:500]
    if not lost:
        return set()
    waiting.filter(id__in=lost).update(status=Run.Status.QUEUED)
    return set(lost)


def requeue_if_decided(run_id: UUID) -> bool:
    """Queue a waiting run again when no question of it is open. Call inside a transaction."""
    waiting = ToolCall.objects.filter(step__run_id=run_id, status__in=[ToolCall.Status.WAITING, ToolCall.Status.UNKNOWN])
    if waiting.exists():
        return False
    return bool(Run.objects.filter(id=run_id, status=Run.Status.WAITING_APPROVAL).update(status=Run.Status.QUEUED))
