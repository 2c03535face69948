"""The clients of a worker: who shares one, and when one that is no longer wanted is closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from llmconfig.llm import Capabilities, Credentials
from llmconfig.providers.demo import DemoProvider
from llmconfig.services.clients import Deployment
from llmconfig.services.facts import ModelFacts
from llmconfig.services.pool import ClientPool

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

CONFIG = uuid4()


def deployment(version: int) -> Deployment:
    return Deployment(CONFIG, version, "demo", "demo-1", Credentials("demo:"), {}, ModelFacts(Capabilities(), "demo-1"))


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch, settings: SettingsWrapper) -> asyncio.Queue[Any]:
    """Clients in the order in which they are closed."""
    settings.DEMO = True
    clients: asyncio.Queue[Any] = asyncio.Queue()

    async def aclose(client: DemoProvider) -> None:
        clients.put_nowait(client)

    monkeypatch.setattr(DemoProvider, "aclose", aclose)
    return clients


async def test_a_client_of_an_old_key_is_closed_when_no_run_can_hold_it(
    closed: asyncio.Queue[Any], settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RUN_TIMEOUT_S = 0.2
    monkeypatch.setattr("llmconfig.services.pool._GRACE_S", 0.1)
    pool = ClientPool()
    old = await pool.open(deployment(1))
    assert await pool.open(deployment(1)) is old
    assert await pool.open(deployment(2)) is not old
    await asyncio.sleep(0.2)
    assert closed.empty()
    assert await asyncio.wait_for(closed.get(), 5) is old
    await pool.aclose()
    assert closed.qsize() == 1
