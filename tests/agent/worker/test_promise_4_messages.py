"""Promise 4 for Celery: what lies in the broker for a run is its id, and no result is kept."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import redis
from django.conf import settings as installed

from agent.services.doorbell import nudge
from tests.canary import of_valkey

if TYPE_CHECKING:
    from tests.llmconfig.people import Person


def test_promise_4_a_message_to_the_workers_holds_a_run_id_and_nothing_else(
    valkey: str, alice: Person, django_capture_on_commit_callbacks: Any
) -> None:
    run = uuid4()
    with django_capture_on_commit_callbacks(execute=True):
        nudge(run)
    with redis.Redis.from_url(valkey) as client:
        (message,) = (json.loads(raw) for raw in client.lrange(installed.CELERY_TASK_DEFAULT_QUEUE, 0, -1))
    arguments, named, more = json.loads(b64decode(message["body"]))
    assert (arguments, named) == ([str(run)], {})
    assert not any(more.values())
    assert message["headers"]["argsrepr"] == f"('{run}',)"
    assert message["headers"]["ignore_result"] is True
    assert not [key for key in of_valkey(valkey) if "celery-task-meta" in key]
