"""How much later the first text arrives through routekit (POST message, then its SSE) than from the same upstream called directly."""

from __future__ import annotations

import asyncio
import json
import time
from statistics import median

import aiohttp

from bench.stack import KEY, Stack, running
from bench.table import Row, table

ROUNDS = 60
WARM_UP = 8


async def measure() -> None:
    with running(chunks=5) as stack:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {stack.token}"}) as session:
            direct, through, posts = [], [], []
            for round_ in range(ROUNDS + WARM_UP):
                one = await _direct(stack, session)
                whole, post = await _through(stack, session)
                if round_ >= WARM_UP:
                    direct.append(one)
                    through.append(whole)
                    posts.append(post)
    added = [whole - one for whole, one in zip(through, direct, strict=True)]
    table(
        "Time to first text, ms",
        [
            Row("the upstream called directly", median(direct) * 1000),
            Row("through routekit: POST answered", median(posts) * 1000),
            Row("through routekit: first text event", median(through) * 1000),
            Row("added (asked: <= 30)", median(added) * 1000),
            Row("added, 95th percentile", sorted(added)[int(len(added) * 0.95)] * 1000),
        ],
    )


async def _direct(stack: Stack, session: aiohttp.ClientSession) -> float:
    """The vendor's own endpoint with a plain client: the least that any caller waits."""
    body = {"model": "claude-sonnet-4-5", "max_tokens": 100, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"Authorization": f"Bearer {KEY}", "anthropic-version": "2026-10-21"}
    began = time.perf_counter()
    async with session.post(f"{stack.upstream}/v1/messages", json=body, headers=headers) as answer:
        async for line in answer.content:
            if b"text_delta" in line:
                arrived = time.perf_counter() - began
                await answer.read()
                return arrived
    raise RuntimeError("no text came")


async def _through(stack: Stack, session: aiohttp.ClientSession) -> tuple[float, float]:
    async with session.post(f"{stack.url}/api/conversations", json={}) as answer:
        conversation = (await answer.json())["id"]
    began = time.perf_counter()
    async with session.post(f"{stack.url}/api/conversations/{conversation}/messages", json={"content": "hi"}) as answer:
        run = (await answer.json())["run"]["id"]
    posted = time.perf_counter() - began
    arrived = 0.0
    async with session.get(f"{stack.url}/api/runs/{run}/events") as events:
        async for line in events.content:
            if not arrived and line.startswith(b"event: text.delta"):
                arrived = time.perf_counter() - began
            if line.startswith(b"event: run.failed"):
                raise RuntimeError(json.dumps((await events.content.readline()).decode()))
    return arrived, posted


def main() -> None:
    asyncio.run(measure())
