"""Many streams at once on one worker process: when all have ended, its peak memory, its CPU for each chunk from socket to stream log.

The CPU of a chunk is what 100 chunks a run cost more than one chunk a run does.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from statistics import median

import aiohttp

from bench.stack import KEY, Stack, cpu_seconds, peak_mb, running
from bench.table import Row, table

STREAMS = 200
CHUNKS_PER_S = 20
SECONDS = 5


@dataclass(frozen=True, slots=True)
class Load:
    """Seconds from the first POST, CPU seconds, MB."""

    direct: float
    posted: float
    ends: list[float]
    cpu: float
    web_cpu: float
    idle_mb: float
    peak_mb: float


async def load(chunks: int) -> Load:
    """All messages posted at once, all streams followed to their end."""
    with running(pace=1 / CHUNKS_PER_S, chunks=chunks) as stack:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {stack.token}"}) as session:
            direct = await _timed(asyncio.gather(*(_direct(stack, session) for _ in range(STREAMS))))
            conversations = [await _conversation(stack, session) for _ in range(STREAMS)]
            idle_mb = peak_mb(stack.worker)
            began, cpu, web_cpu = time.perf_counter(), cpu_seconds(stack.worker), cpu_seconds(stack.web)
            followed = [asyncio.create_task(_one(stack, session, conversation, began)) for conversation in conversations]
            done = await asyncio.gather(*followed)
            spent, web_spent = cpu_seconds(stack.worker) - cpu, cpu_seconds(stack.web) - web_cpu
            peak = peak_mb(stack.worker)
    return Load(direct, max(posted for posted, _ in done), [end for _, end in done], spent, web_spent, idle_mb, peak)


async def measure() -> None:
    chunks = CHUNKS_PER_S * SECONDS
    full, empty = await load(chunks), await load(1)
    table(
        f"{STREAMS} streams at once, {CHUNKS_PER_S} chunks/s for {SECONDS} s, one worker process",
        [
            Row("the upstream called directly, all ended after, s", full.direct),
            Row("last message accepted after, s", full.posted),
            Row("median run ended after, s", median(full.ends)),
            Row("all ended after, s (asked: <= 8)", max(full.ends)),
            Row("worker before, peak MB", full.idle_mb),
            Row("worker peak, MB (asked: <= 220)", full.peak_mb),
            Row("worker CPU a chunk, ms (asked: <= 0.1)", (full.cpu - empty.cpu) * 1000 / (STREAMS * (chunks - 1))),
            Row("worker CPU a run without its chunks, ms", empty.cpu * 1000 / STREAMS),
            Row("web CPU a run, POST and SSE, ms", full.web_cpu * 1000 / STREAMS),
        ],
    )


async def _one(stack: Stack, session: aiohttp.ClientSession, conversation: str, began: float) -> tuple[float, float]:
    run = await _post(stack, session, conversation)
    posted = time.perf_counter() - began
    return posted, await _until_over(stack, session, run, began)


async def _timed(work: asyncio.Future[list[None]]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def _direct(stack: Stack, session: aiohttp.ClientSession) -> None:
    body = {"model": "claude-sonnet-4-5", "max_tokens": 100, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"Authorization": f"Bearer {KEY}", "anthropic-version": "2026-10-21"}
    async with session.post(f"{stack.upstream}/v1/messages", json=body, headers=headers) as answer:
        async for _ in answer.content.iter_any():
            pass


async def _conversation(stack: Stack, session: aiohttp.ClientSession) -> str:
    async with session.post(f"{stack.url}/api/conversations", json={}) as answer:
        return (await answer.json())["id"]


async def _post(stack: Stack, session: aiohttp.ClientSession, conversation: str) -> str:
    async with session.post(f"{stack.url}/api/conversations/{conversation}/messages", json={"content": "hi"}) as answer:
        body = await answer.json()
    if answer.status != 202:
        raise RuntimeError(body)
    return body["run"]["id"]


async def _until_over(stack: Stack, session: aiohttp.ClientSession, run: str, began: float) -> float:
    """Reads like a cheap client: whole chunks, no lines, since it shares the two cores with what it measures."""
    seen = b""
    async with session.get(f"{stack.url}/api/runs/{run}/events") as events:
        async for chunk in events.content.iter_any():
            seen = seen[-200:] + chunk
            if b"event: run.completed" in seen:
                return time.perf_counter() - began
            if b"event: run.failed" in seen:
                break
    raise RuntimeError(f"{events.status}: {seen.decode()}")


def main() -> None:
    asyncio.run(measure())
