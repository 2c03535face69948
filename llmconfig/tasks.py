"""Celery's messages about models and what is kept too long; they carry ids and nothing else."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task


@shared_task(name="llmconfig.tasks.refresh_model_lists", ignore_result=True)
def refresh_model_lists(ids: list[str]) -> None:
    from llmconfig.services.refresh import refresh_model_lists as refresh  # noqa: PLC0415  # needs the app registry

    refresh([UUID(each) for each in ids])


@shared_task(name="llmconfig.tasks.sweep_idempotency", ignore_result=True)
def sweep_idempotency() -> None:
    from llmconfig.tenancy.rest.idempotency import sweep_records  # noqa: PLC0415

    sweep_records()
