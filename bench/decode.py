"""CPU per event of a stream: routekit's decoder against the objects of the vendor's SDK, on the same bytes in the same run.

Both are handed each event's bytes alone, as they arrive from a model. From what the SDK takes, the HTTP client beneath it is taken off:
what is left is splitting, parsing and building its objects.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.sdks import SDKS
from bench.table import Row, table
from llmconfig.llm import ModelRequest
from tests.fakes.script import Answer, Call
from tests.llmconfig.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from tests.llmconfig.vendors import Vendor

ROUNDS = 15
STREAMS = 10
ANSWER = Answer(
    [f"word{number} " for number in range(170)],
    thinking=" ".join(f"thought{number}" for number in range(20)),
    calls=[Call("demo__search_tickets", {"query": "open", "limit": 10})],
)


def measure() -> None:
    rows: list[Row] = []
    for vendor in VENDORS:
        frames = vendor.stream(ANSWER)
        # Round by round, so that what else the machine does strikes both alike.
        rounds = [(_ours(vendor, frames), _theirs(vendor, frames), _beneath(vendor, frames)) for _ in range(ROUNDS)]
        ours, theirs, beneath = (median(each) / len(frames) * 1e6 for each in zip(*rounds, strict=True))
        rows += [
            Row(f"{vendor.wire}: routekit (asked: <= 15)", ours),
            Row(f"{vendor.wire}: the SDK's objects", theirs - beneath),
            Row(f"{vendor.wire}: times as much", (theirs - beneath) / ours),
        ]
    table(f"CPU per stream event, µs; medians of {ROUNDS} rounds of {STREAMS} streams", rows)


def _ours(vendor: Vendor, frames: tuple[bytes, ...]) -> float:
    """Seconds of CPU for one stream."""
    request = ModelRequest(vendor.model, ())
    began = time.process_time()
    for _ in range(STREAMS):
        decoder = vendor.provider.codec.Decoder(request, provider=vendor.provider.slug, label=vendor.provider.label)
        for frame in frames:
            decoder.feed(frame)
        decoder.flush()
        decoder.close()
    return (time.process_time() - began) / STREAMS


def _theirs(vendor: Vendor, frames: tuple[bytes, ...]) -> float:
    open_client, ask = SDKS[vendor.wire]
    client = open_client("http://127.0.0.1:9/v1", _http(vendor, frames))

    async def once() -> None:
        async for _ in ask(client, vendor.model):
            pass

    return _spent(once)


def _beneath(vendor: Vendor, frames: tuple[bytes, ...]) -> float:
    http = _http(vendor, frames)
    if vendor.wire == "ollama":
        import httpx

        http = httpx.AsyncClient(transport=http)

    async def once() -> None:
        async with http.stream("POST", "http://127.0.0.1:9/v1") as response:
            async for _ in response.aiter_bytes():
                pass

    return _spent(once)


def _spent(once: Callable[[], Coroutine[Any, Any, None]]) -> float:
    async def many() -> float:
        await once()
        began = time.process_time()
        for _ in range(STREAMS):
            await once()
        return (time.process_time() - began) / STREAMS

    return asyncio.run(many())


def _http(vendor: Vendor, frames: tuple[bytes, ...]) -> Any:
    """A client that answers everything with these bytes, without a network; of Ollama's client the transport."""
    if vendor.wire == "ollama":
        import httpx as library
    else:
        import httpx2 as library

    class Body(library.AsyncByteStream):  # type: ignore[name-defined,misc]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for frame in frames:
                yield frame

    def answer(_: Any) -> Any:
        return library.Response(200, headers={"content-type": vendor.fake.content_type}, stream=Body())

    transport = library.MockTransport(answer)
    return transport if vendor.wire == "ollama" else library.AsyncClient(transport=transport)


def main() -> None:
    measure()
