"""Model clients of a worker process: one for each config and key version, shared by all runs on its event loop."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from django.conf import settings

from llmconfig.models import UserLLMConfig
from llmconfig.services.clients import Deployment, build_provider, preload_provider
from llmconfig.services.pricing import preload_prices

if TYPE_CHECKING:
    from llmconfig.llm import Provider

logger = logging.getLogger(__name__)
_GRACE_S = 60.0
"""An evicted client may still stream: it is closed this long after the last run that took it had to end."""


class ClientPool:
    """Belongs to one event loop. Bounded: beyond `limit` the least recently used client goes."""

    def __init__(self, limit: int = 128) -> None:
        self._clients: OrderedDict[tuple[str, ...], Provider] = OrderedDict()
        self._limit = limit
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, deployment: Deployment) -> Provider:
        """The client of a deployment, built on first use. Its SDK is imported already (`preload_provider`)."""
        key = tuple(map(str, deployment.client_key))
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = build_provider(deployment.provider, deployment.credentials)
            self._retire(key)
        self._clients.move_to_end(key)
        return client

    async def aclose(self) -> None:
        for task in self._closing:
            task.cancel()
        clients = list(self._clients.values())
        self._clients.clear()
        for client in clients:
            await client.aclose()

    def _retire(self, key: tuple[str, ...]) -> None:
        """Clients of older key versions of the same config go, and the oldest when there are too many."""
        stale = [other for other in self._clients if other[0] == key[0] and other != key]
        while len(self._clients) - len(stale) > self._limit:
            stale.append(next(other for other in self._clients if other not in stale))
        for other in stale:
            task = asyncio.get_running_loop().create_task(_close_later(self._clients.pop(other)))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


async def _close_later(client: Provider) -> None:
    try:
        await asyncio.sleep(settings.RUN_TIMEOUT_S + _GRACE_S)
    finally:
        await client.aclose()


def preload_providers() -> None:
    """Import the SDKs of every provider that some enabled config uses, and the price list."""
    preload_prices()
    for slug in UserLLMConfig.objects.filter(is_enabled=True).values_list("provider_type", flat=True).distinct():
        try:
            preload_provider(slug)
        except Exception:
            logger.exception("The SDK of provider %s could not be imported", slug)
