"""Rotating an organization's data key: promote a new one, reseal everything, delete the old one once nothing can name it any more.

Why nothing is lost on the way: a transaction that seals holds the row of its key until it ends, and the old key is deleted under a lock
that waits for that, in the transaction that finds no value under it. Whoever sealed before their transaction, or stores a row again as
it was read, has the grace (ROTATION_GRACE_S) from the promotion on. Readers that come too late read the row anew. docs/adr/0018 says more.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from llmconfig.tenancy.audit import SYSTEM, Actor, record
from llmconfig.tenancy.caller import Action
from llmconfig.tenancy.erasing import erase_deleted_keys
from llmconfig.tenancy.errors import Conflict
from llmconfig.tenancy.keys import data_key_for, data_key_named, wrap
from llmconfig.tenancy.models import DataKey, Organization
from llmconfig.tenancy.resealing import Resealed, reseal, values_under
from llmconfig.vault import Unreadable, new_data_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from llmconfig.tenancy.caller import Caller

logger = logging.getLogger(__name__)
KEY_UNREADABLE: Final = (
    "This organization's data key cannot be opened with the present KEK, so nothing new can be sealed. Restore the KEK; or an owner starts "
    'over with a new data key (POST /api/organization/rotate-keys with {"start_over": true}): what was sealed before stays as it is, and '
    "opens again once the KEK is back."
)
_INTERRUPTED: Final = timedelta(minutes=10)
_STRAGGLERS_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Promotion:
    """key_id: the current data key. resumed: a rotation was under way already, and goes on."""

    key_id: str
    resumed: bool


def promote_data_key(*, organization: Organization, actor: Actor, start_over: bool = False) -> Promotion:
    """A new current data key, at once; `reseal_organization` then brings everything under it. Goes on with a rotation that is under way.

    start_over: where the current key cannot be opened, it is set aside and kept. Otherwise raises `Conflict` (unreadable).
    """
    with transaction.atomic():
        Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
        before = DataKey.objects.filter(organization=organization, retired_at=None).first()
        opens = before is not None and _opens(before)
        if before is not None and not opens and not start_over:
            raise Conflict(KEY_UNREADABLE, code="unreadable")
        if before is not None and opens and _under_way(organization.pk):
            return Promotion(before.key_id, resumed=True)
        fresh = new_data_key()
        wrapped = wrap(fresh, str(organization.pk))
        now = timezone.now()
        DataKey.objects.filter(organization=organization, retired_at=None).update(retired_at=now)
        DataKey.objects.create(organization=organization, key_id=fresh.key_id, wrapped=wrapped)
        details = {"key": fresh.key_id, "previous": before.key_id if before else None, "started_over": before is not None and not opens}
        record("keys.rotated", actor=actor, organization=organization.pk, object=organization, details=details)
    return Promotion(fresh.key_id, resumed=False)


def rotate_keys(*, caller: Caller, start_over: bool = False) -> Promotion:
    """An owner's `promote_data_key`; a worker reseals. Raises `Forbidden`, `Conflict`."""
    caller.require(Action.OWN_ORGANIZATION)
    with transaction.atomic():
        promotion = promote_data_key(organization=caller.organization, actor=Actor.of(caller), start_over=start_over)
        transaction.on_commit(lambda: _ring(str(caller.organization.pk)))
    return promotion


def reseal_organization(organization_id: UUID, *, progress: Callable[[int], None] = lambda values: None) -> Resealed:
    """Bring everything under the current data key, then note of the others that they are done with. Raises `Unreadable`."""
    retired = list(DataKey.objects.filter(organization_id=organization_id, resealed_at=None).exclude(retired_at=None))
    result = reseal(organization_id, progress=progress)
    if not result.busy:
        done = [row.pk for row in retired if _opens(row)]
        DataKey.objects.filter(pk__in=done, resealed_at=None).update(resealed_at=timezone.now())
    return result


def finish_rotations(*, organization_id: UUID | None = None, now: datetime | None = None) -> int:
    """Delete retired keys whose grace is over and that nothing names any more; how many. Beat calls it, and `rotate_keys` in the end."""
    now = now or timezone.now()
    over = now - timedelta(seconds=settings.ROTATION_GRACE_S)
    rows = DataKey.objects.exclude(resealed_at=None).filter(retired_at__lte=over)
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
    return sum(_finish(row, stragglers=now - row.resealed_at < _STRAGGLERS_FOR) for row in rows if row.resealed_at)


def resume_rotations(*, now: datetime | None = None) -> int:
    """Go on with rotations whose process was killed; how many organizations had one. Beat calls it."""
    before = (now or timezone.now()) - _INTERRUPTED
    waiting = DataKey.objects.filter(resealed_at=None, retired_at__lte=before).order_by("retired_at")
    organizations = {row.organization_id for row in waiting if _opens(row)}
    resumed = 0
    for organization_id in organizations:
        try:
            reseal_organization(organization_id)
        except Unreadable:
            continue
        resumed += 1
    return resumed


def seconds_to_wait(organization_ids: set[UUID], *, now: datetime | None = None) -> float:
    """Until the grace of the last retired key of these organizations is over."""
    now = now or timezone.now()
    rows = DataKey.objects.filter(organization_id__in=organization_ids).exclude(resealed_at=None)
    ends = [row.retired_at + timedelta(seconds=settings.ROTATION_GRACE_S) for row in rows if row.retired_at]
    return max(0.0, *((end - now).total_seconds() for end in ends)) if ends else 0.0


def key_problem(organization_id: UUID) -> str:
    """Why nothing can be sealed for this organization, or ""."""
    try:
        data_key_for(organization_id)
    except Unreadable:
        return KEY_UNREADABLE
    return ""


def _finish(row: DataKey, *, stragglers: bool) -> bool:
    """stragglers: bring along what was stored under the key after its rotation had been through."""
    if values_under(row.organization_id, row.key_id):
        if not stragglers:
            return False
        try:
            reseal(row.organization_id)
        except Unreadable:
            return False
    with transaction.atomic():
        locked = DataKey.objects.select_for_update().filter(pk=row.pk).first()  # waits for those who seal with it
        if locked is None or values_under(row.organization_id, row.key_id):
            return False
        locked.delete()
        erase_deleted_keys()
        record("keys.retired", actor=SYSTEM, organization=row.organization_id, details={"key": row.key_id})
    return True


def _ring(organization_id: str) -> None:
    try:
        import_string(settings.CELERY_APP).send_task("llmconfig.tasks.reseal_organization", (organization_id,), ignore_result=True)
    except Exception:  # noqa: BLE001  # whatever the broker's absence raises
        logger.warning("No worker could be told to reseal organization %s; beat resumes it.", organization_id)


def _under_way(organization_id: UUID) -> bool:
    retired = DataKey.objects.filter(organization_id=organization_id, resealed_at=None).exclude(retired_at=None)
    return any(_opens(row) for row in retired)


def _opens(row: DataKey) -> bool:
    try:
        data_key_named(row.organization_id, row.key_id)
    except Unreadable:
        return False
    return True
