"""Celery's messages about models, keys and what is kept too long, which carry ids alone; and what its processes judge as they start."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import beat_init, worker_ready


@shared_task(name="llmconfig.tasks.refresh_model_lists", ignore_result=True)
def refresh_model_lists(ids: list[str]) -> None:
    from llmconfig.services.refresh import refresh_model_lists as refresh  # noqa: PLC0415  # needs the app registry

    refresh([UUID(each) for each in ids])


@shared_task(name="llmconfig.tasks.sweep_idempotency", ignore_result=True)
def sweep_idempotency() -> None:
    from llmconfig.tenancy.rest.idempotency import sweep_records  # noqa: PLC0415

    sweep_records()


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
