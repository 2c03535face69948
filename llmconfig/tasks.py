"""Celery's messages about models and keys; they carry ids and nothing else."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task


@shared_task(name="llmconfig.tasks.refresh_model_lists", ignore_result=True)
def refresh_model_lists(ids: list[str]) -> None:
    from llmconfig.services.refresh import refresh_model_lists as refresh  # noqa: PLC0415  # needs the app registry

    refresh([UUID(each) for each in ids])


@shared_task(name="llmconfig.tasks.shred_retired_keys", ignore_result=True)
def shred_retired_keys() -> None:
    from llmconfig.services.retired import shred_what_is_due  # noqa: PLC0415  # needs the app registry

    shred_what_is_due()
