"""A doorbell that only notes for whom it rang."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs that the doorbell rang for, in place of a broker."""
    from agent.services import doorbell

    runs: list[str] = []

    class Celery:
        def send_task(self, name: str, arguments: tuple[str], **options: Any) -> None:
            runs.append(arguments[0])

    monkeypatch.setattr(doorbell, "_celery", Celery)
    return runs
