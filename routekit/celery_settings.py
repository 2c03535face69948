"""Celery, a doorbell (the database is the truth): the part of Django's settings about workers and beat. Read by `routekit.settings`."""

from __future__ import annotations

from urllib.parse import urlsplit

from routekit import env


def _broker_url(redis_url: str) -> str:
    """Kombu's spelling of a Redis URL: a Unix socket is `redis+socket://`."""
    return "redis+socket://" + redis_url.removeprefix("unix://") if urlsplit(redis_url).scheme == "unix" else redis_url


CELERY_APP = "routekit.celery.app"
CELERY_BROKER_URL = _broker_url(env.REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "routekit"
CELERY_WORKER_CONCURRENCY = env.WORKER_SLOTS
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A message that dies with its worker is rung again by the sweeper: Kombu need not book the unacknowledged (two transactions each).
CELERY_BROKER_TRANSPORT_OPTIONS = {"ack_emulation": False, "socket_keepalive": True, "health_check_interval": 30}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "sweep-runs": {"task": "agent.tasks.sweep_runs", "schedule": env.SWEEP_S, "options": {"expires": env.SWEEP_S}},
    "finish-key-rotations": {"task": "llmconfig.tasks.finish_key_rotations", "schedule": 60.0, "options": {"expires": 60.0}},
    "sweep-attachments": {"task": "agent.tasks.sweep_attachments", "schedule": 3600.0, "options": {"expires": 3600.0}},
    "sweep-idempotency": {"task": "llmconfig.tasks.sweep_idempotency", "schedule": 3600.0, "options": {"expires": 3600.0}},
    "apply-retention": {"task": "agent.tasks.apply_retention", "schedule": 86_400.0, "options": {"expires": 86_400.0}},
    "audit-retention": {"task": "llmconfig.tasks.apply_audit_retention", "schedule": 86_400.0, "options": {"expires": 86_400.0}},
    "shred-retired-keys": {"task": "llmconfig.tasks.shred_retired_keys", "schedule": 300.0, "options": {"expires": 300.0}},
}
if env.AUDIT_HEADS_S:
    CELERY_BEAT_SCHEDULE["audit-heads"] = {
        "task": "llmconfig.tasks.write_audit_heads",
        "schedule": env.AUDIT_HEADS_S,
        "options": {"expires": env.AUDIT_HEADS_S},
    }
CELERY_BEAT_SCHEDULE_FILENAME = str(env.HOME / "run" / "beat-schedule")
