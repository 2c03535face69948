"""Celery's messages about models, keys, the audit trail and what is kept too long, which carry ids alone; and what its processes do as they
start and end.
"""

from __future__ import annotations

import logging
import threading
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import beat_init, worker_ready, worker_shutdown

logger = logging.getLogger(__name__)


@shared_task(name="llmconfig.tasks.refresh_model_lists", ignore_result=True)
def refresh_model_lists(ids: list[str]) -> None:
    from llmconfig.services.refresh import refresh_model_lists as refresh  # noqa: PLC0415  # needs the app registry

    refresh([UUID(each) for each in ids])


@shared_task(name="llmconfig.tasks.sweep_idempotency", ignore_result=True)
def sweep_idempotency() -> None:
    from llmconfig.tenancy.rest.idempotency import sweep_records  # noqa: PLC0415

    sweep_records()


@shared_task(name="llmconfig.tasks.write_audit_heads", ignore_result=True)
def write_audit_heads() -> None:
    from llmconfig.services.audit_heads import write_heads  # noqa: PLC0415

    write_heads()


@shared_task(name="llmconfig.tasks.apply_audit_retention", ignore_result=True)
def apply_audit_retention() -> None:
    from llmconfig.services.audit_retention import apply_audit_retention as apply  # noqa: PLC0415

    apply()


@worker_shutdown.connect
def _write_last_heads(**_: Any) -> None:
    """What was recorded since the last time. The database may be on its way out as well."""
    from django.conf import settings  # noqa: PLC0415
    from django.db import DatabaseError  # noqa: PLC0415

    from llmconfig.services.audit_heads import write_heads  # noqa: PLC0415

    try:
        if settings.AUDIT_HEADS_S:
            write_heads()
    except (DatabaseError, OSError) as error:
        logger.warning("The last heads of the audit chains could not be written: %s", error)


@shared_task(name="llmconfig.tasks.shred_retired_keys", ignore_result=True)
def shred_retired_keys() -> None:
    from llmconfig.services.retired import shred_what_is_due  # noqa: PLC0415  # needs the app registry

    shred_what_is_due()


@shared_task(name="llmconfig.tasks.reseal_organization", ignore_result=True)
def reseal_organization(organization_id: str) -> None:
    """After its data key was rotated. A message that is lost, or dies with its worker, is made good by `finish_key_rotations`."""
    from llmconfig.services import reseal_organization as reseal  # noqa: PLC0415

    reseal(UUID(organization_id))


@shared_task(name="llmconfig.tasks.finish_key_rotations", ignore_result=True)
def finish_key_rotations() -> None:
    from llmconfig.services import finish_rotations, resume_rotations  # noqa: PLC0415

    resume_rotations()
    finish_rotations()


@worker_ready.connect
@beat_init.connect
def _judge_kek(**_: Any) -> None:
    from llmconfig.services import warn_at_start  # noqa: PLC0415

    threading.Thread(target=warn_at_start, name="routekit-kek", daemon=True).start()
