"""A whole streamed call over loopback, routekit's provider against the vendor's SDK, and what a provider's first call costs."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from contextlib import aclosing, closing
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.sdks import QUESTION, SDKS, close
from bench.stack import ROOT, printed_url, process
from bench.table import Row, table
from llmconfig.llm import Message, ModelRequest, Text
from tests.llmconfig.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.llmconfig.vendors import Vendor

EVENTS = 200
ROUNDS = 60
WARM_UP = 5
STARTS = 7


def measure() -> None:
    calls: list[Row] = []
    firsts: list[Row] = []
    for vendor in VENDORS:
        with process([vendor.fake.__module__, "--chunks", str(EVENTS)], {}) as fake:
            url = printed_url(fake)
            ours, theirs = asyncio.run(_calls(vendor, url))
            starts = [_in_a_fresh_process(vendor.wire, url) for _ in range(STARTS)]
        calls += [
            Row(f"{vendor.wire}: routekit", ours * 1000),
            Row(f"{vendor.wire}: the SDK", theirs * 1000),
            Row(f"{vendor.wire}: times as much (asked: > 1)", theirs / ours),
        ]
        firsts += [
            Row(f"{vendor.wire}: import (not counted)", median(start["import"] for start in starts) * 1000),
            Row(f"{vendor.wire}: client", median(start["client"] for start in starts) * 1000),
            Row(f"{vendor.wire}: first call, over a later one", median(start["first"] - start["later"] for start in starts) * 1000),
            Row(f"{vendor.wire}: both (asked: <= 5)", median(start["client"] + start["first"] - start["later"] for start in starts) * 1000),
        ]
    table(f"CPU of a streamed call of {EVENTS} events over loopback, ms; medians of {ROUNDS}", calls)
    table(f"CPU that a provider's first call costs once, ms; medians of {STARTS} fresh processes", firsts)


async def _calls(vendor: Vendor, url: str) -> tuple[float, float]:
    """Seconds of CPU of one call: routekit's and the SDK's, in turns."""
    open_client, ask = SDKS[vendor.wire]
    provider, client = vendor.open(url), open_client(url, None)
    request = ModelRequest(vendor.model, (Message("user", (Text(QUESTION),)),))

    async def ours() -> None:
        async with aclosing(provider.stream(request)) as events:  # type: ignore[type-var]
            async for _ in events:
                pass

    async def theirs() -> None:
        async for _ in ask(client, vendor.model):
            pass

    spent = [(await _spent(ours), await _spent(theirs)) for _ in range(WARM_UP + ROUNDS)][WARM_UP:]
    await provider.aclose()
    await close(client)
    mine, other = zip(*spent, strict=True)
    return median(mine), median(other)


async def _spent(call: Callable[[], Coroutine[Any, Any, None]]) -> float:
    began = time.process_time()
    await call()
    return time.process_time() - began


def _in_a_fresh_process(wire: str, url: str) -> dict[str, float]:
    answer = subprocess.run([sys.executable, "-m", "bench.calls", wire, url], cwd=ROOT, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(answer.stdout)
    return figures


async def _start(vendor: Vendor, url: str) -> dict[str, float]:
    """Seconds of CPU. The provider is preloaded in a thread, as a worker does it."""
    began = time.process_time()
    await asyncio.to_thread(vendor.provider.preload)
    gc.collect()  # due for what was imported; else it falls into the first call by chance, at 50 ms
    imported = time.process_time()
    provider = vendor.open(url)
    opened = time.process_time()
    request = ModelRequest(vendor.model, (Message("user", (Text(QUESTION),)),))

    async def call() -> None:
        async with aclosing(provider.stream(request)) as events:  # type: ignore[type-var]
            async for _ in events:
                pass

    first = await _spent(call)
    later = median([await _spent(call) for _ in range(10)])
    await provider.aclose()
    return {"import": imported - began, "client": opened - imported, "first": first, "later": later}


def main() -> None:
    measure()


if __name__ == "__main__":
    with closing(asyncio.new_event_loop()) as loop:
        print(json.dumps(loop.run_until_complete(_start(next(each for each in VENDORS if each.wire == sys.argv[1]), sys.argv[2]))))
