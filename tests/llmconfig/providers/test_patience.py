"""A deadline that moves: it passes when nothing comes in time, and only then."""

from __future__ import annotations

import asyncio

import pytest

from llmconfig.providers.patience import Patience


async def _forever() -> None:
    await asyncio.Event().wait()


async def test_what_comes_in_time_is_returned() -> None:
    patience = Patience()
    assert await patience.wait(asyncio.sleep(0, "chunk"), 5) == "chunk"
    patience.close()


async def test_silence_is_a_timeout_and_the_task_can_go_on() -> None:
    patience = Patience()
    with pytest.raises(TimeoutError):
        await patience.wait(_forever(), 0.01)
    assert await patience.wait(asyncio.sleep(0, 1), 5) == 1
    with pytest.raises(TimeoutError):
        await patience.wait(_forever(), 0.01)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_timer_of_an_earlier_wait_does_not_end_a_later_one() -> None:
    patience, loop = Patience(), asyncio.get_running_loop()
    await patience.wait(asyncio.sleep(0), 0.01)
    arrived = loop.create_future()
    loop.call_later(0.05, arrived.set_result, "late")
    assert await patience.wait(arrived, 5) == "late"


async def test_a_shorter_patience_after_a_longer_one_holds() -> None:
    patience = Patience()
    await patience.wait(asyncio.sleep(0), 60)
    with pytest.raises(TimeoutError):
        await patience.wait(_forever(), 0.01)


async def test_a_cancel_from_outside_stays_a_cancel() -> None:
    patience, waiting = Patience(), asyncio.Event()

    async def read() -> None:
        waiting.set()
        await patience.wait(_forever(), 60)

    task = asyncio.create_task(read())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
