"""One answer of a provider, folded; or the one error of the tree that came in its place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import Accumulator, Finished, ProviderError, UsageReported

if TYPE_CHECKING:
    from llmconfig.llm import ModelRequest, StreamEvent
    from llmconfig.providers.base import StreamingProvider


async def collected(provider: StreamingProvider, request: ModelRequest, seen: list[StreamEvent] | None = None) -> Accumulator:
    numbers = iter(range(1000))
    accumulator = Accumulator(provider=provider.slug, model=request.model, new_id=lambda: f"call-{next(numbers)}")
    async with asyncio.timeout(20):
        async for event in provider.stream(request):
            assert accumulator.finish is None or isinstance(event, UsageReported), f"{event} came after the end"
            accumulator.add(event)
            if seen is not None:
                seen.append(event)
    assert isinstance(accumulator.finish, Finished)
    return accumulator


async def failure_of(attempt: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await attempt
    return caught.value
