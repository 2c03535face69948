"""A worker in this process: the real runtime and a thread for each ring of the doorbell, as Celery's thread pool has it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django.fixtures import SettingsWrapper

    from agent.models import Service
    from tests.agent.worker.chat import Chat
    from tests.fakes.anthropic import FakeAnthropic
    from tests.fakes.openai import FakeOpenAI
    from tests.llmconfig.people import Person

WITHIN_S = 20.0


def wait_until(condition: Callable[[], Any], within: float = WITHIN_S) -> Any:
    """What `condition` answers once that is true."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


class Worker:
    """Stands where the Celery application does. deaf: rings are only noted."""

    def __init__(self) -> None:
        self.rings: list[UUID] = []
        self.deaf = False
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def send_task(self, name: str, arguments: tuple[str], **options: Any) -> None:
        self.rings.append(UUID(arguments[0]))
        if not self.deaf:
            self.start(self.rings[-1])

    def start(self, run_id: UUID) -> threading.Thread:
        thread = threading.Thread(target=self._execute, args=(run_id,))
        self._threads.append(thread)
        thread.start()
        return thread

    def _execute(self, run_id: UUID) -> None:
        from agent.worker.execute import execute_run

        try:
            execute_run(run_id)
        except BaseException as error:  # noqa: BLE001  raised again in `finish`
            self._errors.append(error)

    def finish(self) -> None:
        """Wait until nothing runs any more, and raise what went wrong in a thread."""
        deadline = time.monotonic() + WITHIN_S
        while self._threads:
            thread = self._threads.pop()
            thread.join(deadline - time.monotonic())
            assert not thread.is_alive(), "a run did not end in time"
        if self._errors:
            raise self._errors.pop()


@pytest.fixture
def worker(transactional_db: None, valkey: str, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    from agent.services import doorbell
    from agent.worker.runtime import Runtime

    settings.PRIVATE_HOSTS = ["127.0.0.1:*"]
    ours = Worker()
    monkeypatch.setattr(doorbell, "_celery", lambda: ours)
    yield ours
    ours.deaf = True
    Runtime.stop_if_started("shutdown")
    ours.finish()


@pytest.fixture
def demo(alice: Person, demo_url: str) -> Service:
    """The demo service as Alice's organization has it: what reads runs by itself, the rest asks."""
    from agent.services.demo import ensure_demo_service

    service = ensure_demo_service(alice.organization)
    assert service is not None
    return service


@pytest.fixture
def chat(worker: Worker, alice: Person) -> Chat:
    """Alice's conversation over the API, answered by the worker; the demo provider at full speed."""
    from llmconfig.models import UserLLMConfig
    from llmconfig.services import ensure_demo_config
    from tests.agent.worker.chat import Chat

    ensure_demo_config(alice.organization)
    UserLLMConfig.objects.update(options={"pace_ms": 0})
    return Chat(alice, worker)


@pytest.fixture
def anthropic() -> Iterator[FakeAnthropic]:
    from tests.fakes.anthropic import FakeAnthropic

    with FakeAnthropic() as fake:
        yield fake


@pytest.fixture
def openai() -> Iterator[FakeOpenAI]:
    from tests.fakes.openai import FakeOpenAI

    with FakeOpenAI() as fake:
        yield fake
