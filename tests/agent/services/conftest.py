"""A queued run of Alice's and its claim, and a doorbell that only notes for whom it rang."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from agent.models import Run
    from agent.services.claims import Claim
    from tests.llmconfig.people import Person


@pytest.fixture
def run(alice: Person) -> Run:
    from tests.agent.rows import queued_run

    return queued_run(alice)


@pytest.fixture
def claim(run: Run) -> Claim:
    from tests.agent.rows import claimed

    return claimed(run)


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
