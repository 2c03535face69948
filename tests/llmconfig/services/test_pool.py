"""The clients of a worker: who shares one, who asks for its key, and when one that is no longer wanted is closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from llmconfig.llm import Capabilities, Credentials, ProviderError
from llmconfig.providers.demo import DemoProvider
from llmconfig.services.clients import Deployment, Revealed
from llmconfig.services.facts import ModelFacts
from llmconfig.services.pool import ClientPool

if TYPE_CHECKING:
    from uuid import UUID

    from pytest_django.fixtures import SettingsWrapper

CONFIG = uuid4()


def deployment(version: int, config: UUID = CONFIG) -> Deployment:
    return Deployment(config, version, "demo", "demo-1", "demo:", {}, {}, ModelFacts(Capabilities(), "demo-1"))


class Keys:
    """Stands where the task's thread does: opens a key, and counts. ready: what an answer waits for."""

    def __init__(self, now: Deployment | None = None) -> None:
        self.asked, self.now, self.ready = 0, now, asyncio.Event()
        self.ready.set()

    async def open(self, pool: ClientPool, wanted: Deployment) -> Any:
        async def reveal() -> Revealed:
            self.asked += 1
            await self.ready.wait()
            return Revealed(self.now or wanted, Credentials("demo:"))

        return await pool.open(wanted, reveal)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch, settings: SettingsWrapper) -> asyncio.Queue[Any]:
    """Clients in the order in which they are closed."""
    settings.DEMO = True
    clients: asyncio.Queue[Any] = asyncio.Queue()

    async def aclose(client: DemoProvider) -> None:
        clients.put_nowait(client)

    monkeypatch.setattr(DemoProvider, "aclose", aclose)
    return clients


async def test_a_client_of_an_old_key_is_closed_with_the_last_run_that_holds_it(closed: asyncio.Queue[Any]) -> None:
    pool, keys = ClientPool(), Keys()
    old = await keys.open(pool, deployment(1))
    assert await keys.open(pool, deployment(1)) is old
    assert keys.asked == 1
    new = await keys.open(pool, deployment(2))
    assert new is not old
    pool.release(old)
    await asyncio.sleep(0)
    assert closed.empty()
    pool.release(old)
    assert await asyncio.wait_for(closed.get(), 5) is old
    pool.release(new)
    await pool.aclose()
    assert await asyncio.wait_for(closed.get(), 5) is new
    assert closed.empty()


async def test_runs_that_want_a_client_at_once_share_one_and_one_asks_for_its_key(closed: asyncio.Queue[Any]) -> None:
    pool, keys = ClientPool(), Keys()
    keys.ready.clear()
    opening = [asyncio.create_task(keys.open(pool, deployment(1))) for _ in range(5)]
    await asyncio.sleep(0)
    keys.ready.set()
    clients = await asyncio.gather(*opening)
    assert (len({id(client) for client in clients}), keys.asked) == (1, 1)
    await pool.aclose()
    assert closed.qsize() == 1


async def test_one_that_gives_up_while_the_key_is_opened_leaves_that_to_the_next(closed: asyncio.Queue[Any]) -> None:
    pool, keys = ClientPool(), Keys()
    keys.ready.clear()
    first, second = (asyncio.create_task(keys.open(pool, deployment(1))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    keys.ready.set()
    assert isinstance(await second, DemoProvider)
    assert (first.cancelled(), keys.asked) == (True, 2)


async def test_a_key_that_is_refused_leaves_nothing_behind(closed: asyncio.Queue[Any]) -> None:
    pool = ClientPool()

    async def refuse() -> Revealed:
        raise ProviderError("gone")

    with pytest.raises(ProviderError):
        await pool.open(deployment(1), refuse)
    assert pool.held == frozenset()
    assert isinstance(await Keys().open(pool, deployment(1)), DemoProvider)


async def test_a_run_that_comes_with_an_old_version_gets_the_present_client(closed: asyncio.Queue[Any]) -> None:
    """Its key was replaced between the reading of the run and the opening of its client."""
    pool = ClientPool()
    new = await Keys().open(pool, deployment(2))
    assert await Keys(now=deployment(2)).open(pool, deployment(1)) is new
    assert pool.held == {(CONFIG, 2)}


async def test_an_idle_client_that_is_evicted_closes_at_once_and_a_busy_one_with_its_run(closed: asyncio.Queue[Any]) -> None:
    pool, keys, other = ClientPool(), Keys(), uuid4()
    idle, busy = await keys.open(pool, deployment(1)), await keys.open(pool, deployment(1, other))
    pool.release(idle)
    pool.evict({(CONFIG, 1), (other, 1), (uuid4(), 1)})
    assert pool.held == frozenset()
    assert await asyncio.wait_for(closed.get(), 5) is idle
    assert closed.empty()
    pool.release(busy)
    assert await asyncio.wait_for(closed.get(), 5) is busy


async def test_the_least_recently_used_goes_when_there_are_too_many(closed: asyncio.Queue[Any]) -> None:
    pool, keys, configs = ClientPool(limit=2), Keys(), [uuid4() for _ in range(3)]
    clients = [await keys.open(pool, deployment(1, config)) for config in configs[:2]]
    for client in clients:
        pool.release(client)
    pool.release(await keys.open(pool, deployment(1, configs[0])))
    await keys.open(pool, deployment(1, configs[2]))
    assert await asyncio.wait_for(closed.get(), 5) is clients[1]
    assert pool.held == {(configs[0], 1), (configs[2], 1)}
