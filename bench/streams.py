"""Many streams at once on one worker process: when all have ended, its peak memory, its CPU for each chunk from socket to stream log."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import aiohttp

from bench.stack import KEY, Stack, cpu_seconds, peak_mb, running
from bench.table import Row, table

STREAMS = 200
CHUNKS_PER_S = 20
SECONDS = 5


async def measure() -> None:
    chunks = CHUNKS_PER_S * SECONDS
    with running(pace=1 / CHUNKS_PER_S, chunks=chunks) as stack:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {stack.token}"}) as session:
            direct = await _timed(asyncio.gather(*(_direct(stack, session) for _ in range(STREAMS))))
            conversations = [await _conversation(stack, session) for _ in range(STREAMS)]
            idle_mb = peak_mb(stack.worker)
            began, cpu = time.perf_counter(), cpu_seconds(stack.worker)
            runs = await asyncio.gather(*(_post(stack, session, conversation) for conversation in conversations))
            posted = time.perf_counter() - began
            ends = await asyncio.gather(*(_until_over(stack, session, run, began) for run in runs))
            spent = cpu_seconds(stack.worker) - cpu
            peak = peak_mb(stack.worker)
    table(
        f"{STREAMS} streams at once, {CHUNKS_PER_S} chunks/s for {SECONDS} s, one worker process",
        [
            Row("the upstream called directly, all ended after, s", direct),
            Row("all messages posted after, s", posted),
            Row("median run ended after, s", median(ends)),
            Row("all ended after, s (asked: <= 8)", max(ends)),
            Row("worker before, peak MB", idle_mb),
            Row("worker peak, MB (asked: <= 220)", peak),
            Row("worker CPU a chunk, ms (asked: <= 0.1), with claim, plan and commits", spent * 1000 / (STREAMS * chunks)),
        ],
    )


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
    seen = []
    async with session.get(f"{stack.url}/api/runs/{run}/events") as events:
        async for line in events.content:
            seen.append(line)
            if line.startswith(b"event: run.completed"):
                return time.perf_counter() - began
            if line.startswith(b"event: run.failed"):
                raise RuntimeError((await events.content.readline()).decode())
    raise RuntimeError(f"the stream ended without an end of the run: {events.status} {seen[-6:]}")


def main() -> None:
    asyncio.run(measure())
