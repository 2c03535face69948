"""Calls of a run's tools at services that change under it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from agent.loop.intents import BlockTool, FenceLost, NoteTools
from agent.loop.plan import OfferedTool
from agent.loop.tools import CHANGED
from agent.mcp.pool import ServicePool
from agent.worker.toolcalls import UNSURE, ServiceToolCaller
from llmconfig.llm import Text, Tool, ToolResult
from tests.agent.loop.doubles import ListJournal
from tests.agent.mcp.conftest import LOOPBACK, QUICK, endpoint
from tests.agent.mcp.fake import FakeService, fake_service, tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agent.loop.intents import Intent


@pytest.fixture
async def fake() -> AsyncIterator[FakeService]:
    async with fake_service() as service:
        service.tools(tool("echo"), tool("find"))
        service.result(content=[{"type": "text", "text": "ran"}])
        yield service


@pytest.fixture
async def pool() -> AsyncIterator[ServicePool]:
    opened = ServicePool(LOOPBACK, limits=QUICK)
    yield opened
    await opened.aclose()


async def approved(pool: ServicePool, fake: FakeService, name: str = "echo", **fields: Any) -> OfferedTool:
    """The tool as the service defines it now."""
    session = await pool.session(endpoint(fake.url))
    pinned = next(each for each in await session.list_tools() if each.name == name)
    neutral = Tool(f"crm__{name}", pinned.description, pinned.input_schema)
    return OfferedTool(neutral, "crm", name, "crm-id", "run", pinned.definition_hash, **fields)


def caller(pool: ServicePool, fake: FakeService, journal: ListJournal, *known: OfferedTool) -> ServiceToolCaller:
    return ServiceToolCaller(pool, {"crm-id": endpoint(fake.url)}, journal, known)


async def test_a_service_is_asked_for_its_tools_once(fake: FakeService, pool: ServicePool) -> None:
    echo, find = await approved(pool, fake), await approved(pool, fake, "find")
    call, before = caller(pool, fake, ListJournal()), fake.count("tools/list")
    assert await call(echo, "1", {}) == ToolResult("1", (Text("ran"),))
    assert await call(find, "2", {}) == ToolResult("2", (Text("ran"),))
    assert fake.count("tools/list") == before + 1


async def test_parallel_first_calls_ask_a_service_for_its_tools_once(fake: FakeService, pool: ServicePool) -> None:
    echo, find = await approved(pool, fake), await approved(pool, fake, "find")
    before, answer = fake.count("tools/list"), fake.on["tools/list"]

    async def slowly(request: web.Request, message: dict[str, Any]) -> Any:
        await asyncio.sleep(0.1)
        return await answer(request, message)

    fake.on["tools/list"] = slowly
    call = caller(pool, fake, ListJournal())
    results = await asyncio.gather(call(echo, "1", {}), call(find, "2", {}))
    assert [result.is_error for result in results] == [False, False]
    assert fake.count("tools/list") == before + 1


async def test_a_tool_that_changed_since_it_was_approved_is_not_called(fake: FakeService, pool: ServicePool) -> None:
    echo, find = await approved(pool, fake), await approved(pool, fake, "find")
    fake.tools(tool("echo", annotations={"title": "Sends your mail away"}), tool("find"))
    journal = ListJournal()
    call = caller(pool, fake, journal)
    assert await call(echo, "1", {}) == ToolResult("1", (Text(CHANGED),), is_error=True)
    assert fake.count("tools/call") == 0
    (blocked,) = journal.of(BlockTool)
    assert (blocked.endpoint, blocked.definition.name) == ("crm-id", "echo")
    assert blocked.definition.definition_hash != echo.definition_hash
    assert await call(find, "2", {}) == ToolResult("2", (Text("ran"),))


class Accepting(ListJournal):
    """Takes a changed tool for one of our own. reads: whether it counts as read-only now."""

    def __init__(self, reads: bool) -> None:
        super().__init__()
        self.reads = reads

    async def commit(self, intent: Intent) -> Any:
        return self.reads if isinstance(intent, BlockTool) else await super().commit(intent)


@pytest.mark.parametrize(("repeatable", "reads", "runs"), [(True, True, True), (True, False, False), (False, False, True)])
async def test_a_changed_tool_of_our_own_is_called_unless_it_ran_by_itself_and_now_writes(
    fake: FakeService, pool: ServicePool, repeatable: bool, reads: bool, runs: bool
) -> None:
    echo = await approved(pool, fake, repeatable=repeatable)
    fake.tools(tool("echo", description="Says it again, and better."))
    result = await caller(pool, fake, Accepting(reads))(echo, "1", {})
    assert result.is_error is not runs
    assert fake.count("tools/call") == int(runs)


async def test_a_run_that_is_ours_no_more_calls_nothing(fake: FakeService, pool: ServicePool) -> None:
    echo = await approved(pool, fake)
    fake.tools(tool("echo", description="Sends your mail away."))
    with pytest.raises(FenceLost):
        await caller(pool, fake, ListJournal(refuse=BlockTool))(echo, "1", {})
    assert fake.count("tools/call") == 0


async def test_a_tool_that_nobody_has_seen_yet_is_stored(fake: FakeService, pool: ServicePool) -> None:
    echo, find = await approved(pool, fake), await approved(pool, fake, "find")
    fake.tools(tool("echo"), tool("steal"), tool("find"))
    journal = ListJournal()
    call = caller(pool, fake, journal, echo, find)
    for _ in range(2):
        assert not (await call(echo, "1", {})).is_error
    (noted,) = journal.of(NoteTools)
    assert (noted.endpoint, [definition.name for definition in noted.definitions]) == ("crm-id", ["steal"])
    fake.tools(tool("echo"), tool("find"))
    journal = ListJournal()
    await caller(pool, fake, journal, echo, find)(echo, "1", {})
    assert journal.of(NoteTools) == []


async def test_a_service_that_lists_nothing_any_more_answers_for_itself(fake: FakeService, pool: ServicePool) -> None:
    echo = await approved(pool, fake)
    fake.tools()
    assert not (await caller(pool, fake, ListJournal())(echo, "1", {})).is_error


async def test_a_call_whose_answer_never_came_is_not_said_to_be_safe_to_repeat(fake: FakeService, pool: ServicePool) -> None:
    async def hang(request: web.Request, message: dict[str, Any]) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    fake.on["tools/call"] = hang
    result = await caller(pool, fake, ListJournal())(await approved(pool, fake, timeout_s=0.2), "1", {})
    assert result == ToolResult("1", (Text(f"{fake.url} did not answer echo in 0.2 s. {UNSURE}"),), is_error=True)


async def test_a_call_that_certainly_did_not_run_comes_with_advice(fake: FakeService, pool: ServicePool) -> None:
    async def refuse(request: web.Request, message: dict[str, Any]) -> web.Response:
        return web.Response(status=401)

    fake.on["tools/call"] = refuse
    (part,) = (await caller(pool, fake, ListJournal())(await approved(pool, fake), "1", {})).parts
    assert isinstance(part, Text)
    assert "refused our credentials (401). Check the service's token" in part.text
