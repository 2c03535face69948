"""Celery's doorbells, and what a worker process does when it starts and stops."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import worker_process_shutdown, worker_ready, worker_shutting_down

_shutting_down = threading.Event()


@shared_task(name="agent.tasks.run_conversation", ignore_result=True)
def run_conversation(run_id: str) -> None:
    """See one run through. The database decides whether there is anything to do."""
    from agent.services.doorbell import nudge  # noqa: PLC0415  # needs the app registry
    from agent.worker.execute import execute_run  # noqa: PLC0415  # the runtime belongs to workers alone

    if _shutting_down.is_set():
        nudge(UUID(run_id))  # it was fetched before: another worker takes it
    else:
        execute_run(UUID(run_id))


@shared_task(name="agent.tasks.sweep_runs", ignore_result=True)
def sweep_runs() -> None:
    from agent.services.claims import sweep  # noqa: PLC0415

    sweep()


@shared_task(name="agent.tasks.sweep_attachments", ignore_result=True)
def sweep_attachments() -> None:
    from agent.services.attachments import sweep_attachments as sweep  # noqa: PLC0415

    sweep()


@shared_task(name="agent.tasks.apply_retention", ignore_result=True)
def apply_retention() -> None:
    from agent.services.retention import apply_retention as apply  # noqa: PLC0415

    apply()


@worker_ready.connect
def _start_runtime(**_: Any) -> None:
    """Start the loop, and import the SDKs in use in the background: the first message should not wait for them."""
    from agent.worker.runtime import Runtime  # noqa: PLC0415

    Runtime.get()
    threading.Thread(target=_preload, name="routekit-preload", daemon=True).start()


def _preload() -> None:
    from agent.mcp import client  # noqa: PLC0415
    from llmconfig.services import preload_providers  # noqa: PLC0415
    from llmconfig.tenancy.connection import release_connection  # noqa: PLC0415

    client.preload()
    try:
        preload_providers()
    finally:
        release_connection()


@worker_shutting_down.connect
def _give_runs_back(**_: Any) -> None:
    """Celery's thread pool waits for its tasks; they end once the loop has let their runs go."""
    _shutting_down.set()
    from agent.worker.runtime import Runtime  # noqa: PLC0415

    threading.Thread(target=Runtime.stop_if_started, args=("shutdown",), name="routekit-stop").start()


@worker_process_shutdown.connect
def _ensure_stopped(**_: Any) -> None:
    from agent.worker.runtime import Runtime  # noqa: PLC0415

    Runtime.stop_if_started("shutdown")
