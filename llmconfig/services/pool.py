"""Model clients of a worker process: one for each config and key version, shared by all runs on its event loop."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakValueDictionary

from llmconfig.models import UserLLMConfig
from llmconfig.services.clients import ClientKey, Deployment, Revealed, build_provider, preload_provider
from llmconfig.services.pricing import preload_prices

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from llmconfig.llm import Provider

logger = logging.getLogger(__name__)
Reveal: TypeAlias = Callable[[], Awaitable[Revealed]]
Version: TypeAlias = "tuple[UUID, int]"


@dataclass(slots=True, eq=False)
class _Pooled:
    """users: runs that hold it now. One that is not wanted any more closes with the last of them."""

    client: Provider
    users: int = 0
    unwanted: bool = False


class ClientPool:
    """Belongs to one event loop. Bounded: beyond `limit` the least recently used client goes.

    held: config and secret version of each client that runs may still be given; it may be read from any thread.
    """

    def __init__(self, limit: int = 128) -> None:
        self.held: frozenset[Version] = frozenset()
        self._clients: OrderedDict[ClientKey, _Pooled] = OrderedDict()
        self._unwanted: set[_Pooled] = set()
        self._limit = limit
        self._closing: set[asyncio.Task[None]] = set()
        self._building: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def open(self, deployment: Deployment, reveal: Reveal) -> Provider:
        """The client of a deployment, which its run gives back by `release`. Its SDK is imported already (`preload_provider`).

        reveal: asked when there is none yet, and of several runs that want it at once by one alone. What it answers may be newer than
        `deployment`, whose key may have been replaced meanwhile.
        """
        pooled = self._clients.get(deployment.client_key)
        if pooled is None:
            async with self._building.setdefault(deployment.config, asyncio.Lock()):
                pooled = self._clients.get(deployment.client_key) or await self._build(reveal)
        pooled.users += 1
        if deployment.client_key in self._clients:
            self._clients.move_to_end(deployment.client_key)
        return pooled.client

    def release(self, client: Provider) -> None:
        """The run that opened it is over."""
        pooled = next((each for each in (*self._clients.values(), *self._unwanted) if each.client is client), None)
        if pooled is not None:
            pooled.users -= 1
            self._close_if_done(pooled)

    def evict(self, stale: Iterable[Version]) -> None:
        """Give these to no further run, and close each with the last that holds it; one that nobody holds at once."""
        versions = set(stale)
        self._drop([key for key in self._clients if key[:2] in versions])

    async def aclose(self) -> None:
        every = [*self._clients.values(), *self._unwanted]
        self._clients.clear()
        self._unwanted.clear()
        self.held = frozenset()
        for pooled in every:
            await pooled.client.aclose()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _build(self, reveal: Reveal) -> _Pooled:
        revealed = await reveal()
        key = revealed.deployment.client_key
        pooled = self._clients.get(key)
        if pooled is None:
            pooled = self._clients[key] = _Pooled(build_provider(revealed.deployment.provider, revealed.credentials))
            self._make_room(key)
        return pooled

    def _make_room(self, key: ClientKey) -> None:
        """Clients of other versions and settings of the same config go, and the oldest when there are too many."""
        stale = [other for other in self._clients if other[0] == key[0] and other != key]
        while len(self._clients) - len(stale) > self._limit:
            stale.append(next(other for other in self._clients if other not in stale))
        self._drop(stale)

    def _drop(self, stale: Iterable[ClientKey]) -> None:
        for key in stale:
            pooled = self._clients.pop(key)
            pooled.unwanted = True
            self._unwanted.add(pooled)
            self._close_if_done(pooled)
        self.held = frozenset(key[:2] for key in self._clients)

    def _close_if_done(self, pooled: _Pooled) -> None:
        if pooled.unwanted and not pooled.users:
            self._unwanted.discard(pooled)
            task = asyncio.get_running_loop().create_task(_close(pooled.client))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


async def _close(client: Provider) -> None:
    try:
        await client.aclose()
    except Exception:
        logger.exception("A model's client could not be closed")


def stale_clients(held: Iterable[Version]) -> set[Version]:
    """Those whose config was deleted or disabled, or has another key or owner by now. One query."""
    versions = set(held)
    known = UserLLMConfig.objects.filter(pk__in={config for config, _ in versions}, is_enabled=True)
    return versions - set(known.values_list("pk", "secret_version"))


def preload_providers() -> None:
    """Import the SDKs of every provider that some enabled config uses, and the price list."""
    preload_prices()
    for slug in UserLLMConfig.objects.filter(is_enabled=True).values_list("provider_type", flat=True).distinct():
        try:
            preload_provider(slug)
        except Exception:
            logger.exception("The SDK of provider %s could not be imported", slug)
