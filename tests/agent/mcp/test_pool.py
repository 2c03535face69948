"""agent.mcp.pool: reuse, recovery, isolation, bounds"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from mcp.server.mcpserver import MCPServer

from agent.mcp.errors import ServiceError, ServiceProtocolError, ServiceTimeout, ServiceUnauthorized, ServiceUnreachable, SessionForgotten
from agent.mcp.limits import Limits
from agent.mcp.pool import ServicePool, probe
from llmconfig.llm import Secret, Text
from tests.agent.mcp.conftest import LOOPBACK, QUICK, demo_at, endpoint
from tests.agent.mcp.fake import FakeService, fake_service, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.mcp.endpoint import Endpoint


async def test_a_session_is_reused(fake: FakeService, pool: ServicePool) -> None:
    sessions = await asyncio.gather(*(pool.session(endpoint(fake.url)) for _ in range(5)))
    assert len({id(session) for session in sessions}) == 1
    assert fake.count("initialize") == 1


async def test_other_credentials_under_the_same_key_get_a_session_of_their_own(fake: FakeService, pool: ServicePool) -> None:
    first = await pool.session(endpoint(fake.url, headers={"X-Key": Secret("first-key")}))
    second = await pool.session(endpoint(fake.url, headers={"X-Key": Secret("second-key")}))
    assert second is not first
    with pytest.raises(ServiceUnreachable, match="closed"):
        await first.list_tools()


async def test_a_sealed_endpoint_is_opened_once_for_its_session(fake: FakeService, pool: ServicePool) -> None:
    asked: list[str] = []
    opened = endpoint(fake.url)

    async def reveal() -> Endpoint:
        asked.append(opened.key)
        await asyncio.sleep(0)
        return opened

    first, *others = await asyncio.gather(*(pool.session(opened.sealed(), reveal) for _ in range(4)))
    assert [session is first for session in others] == [True] * 3
    assert await pool.session(opened.sealed(), reveal) is first
    assert (asked, pool.held) == ([opened.key], frozenset({opened.key}))


async def test_what_is_opened_may_be_newer_than_what_was_asked_for(fake: FakeService, pool: ServicePool) -> None:
    old, new = endpoint(fake.url), replace(endpoint(fake.url), key="user:service:2")
    present = await pool.session(new)

    async def reveal() -> Endpoint:
        return new

    assert await pool.session(old.sealed(), reveal) is present


async def test_a_sealed_endpoint_that_nobody_opens_is_refused(fake: FakeService, pool: ServicePool) -> None:
    with pytest.raises(ServiceUnauthorized):
        await pool.session(endpoint(fake.url).sealed())


async def test_an_evicted_session_goes_unless_it_is_busy(fake: FakeService, pool: ServicePool) -> None:
    session = await pool.session(endpoint(fake.url))
    pool.evict(["another"])
    assert pool.held
    pool.evict([session.endpoint.key])
    assert (pool.held, len(pool)) == (frozenset(), 0)
    assert await pool.session(endpoint(fake.url)) is not session


async def test_one_who_gives_up_waiting_stops_nobody_else(fake: FakeService, pool: ServicePool) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def every(request: web.Request) -> None:
        asked.set()
        await go.wait()

    fake.every = every
    alice = asyncio.create_task(pool.session(endpoint(fake.url)))
    bob = asyncio.create_task(pool.session(endpoint(fake.url)))
    await asked.wait()
    alice.cancel()
    await asyncio.wait({alice})
    go.set()
    assert len(await (await bob).list_tools()) == 1


async def test_a_hanging_server_delays_no_other(fake: FakeService, demo) -> None:
    never = asyncio.Event()

    async def every(request: web.Request) -> None:
        await never.wait()

    fake.every = every
    pool = ServicePool(LOOPBACK, limits=Limits(connect_seconds=0.5))
    hanging = asyncio.create_task(pool.session(endpoint(fake.url, "alice:dead:1")))
    session = await pool.session(endpoint(demo.url, "alice:demo:1"))
    outcome = await session.call("get_article", {"id": "A-1"}, timeout=5)
    assert not hanging.done()
    assert not outcome.is_error
    with pytest.raises(ServiceTimeout):
        await hanging
    await pool.aclose()


async def test_the_demo_killed_and_started_again(tmp_path: Path, pool: ServicePool) -> None:
    with demo_at(tmp_path / "demo.sqlite3") as demo:
        session = await pool.session(endpoint(demo.url))
        await session.call("close_ticket", {"id": "T-1030", "resolution": "Split exports turned on."}, timeout=5)
        demo.stop(kill=True)
        with pytest.raises(ServiceUnreachable):
            await session.call("get_ticket", {"id": "T-1030"}, timeout=5)
        demo.start()
        session = await pool.session(endpoint(demo.url))
        assert len(await session.list_tools()) == 9
        outcome = await session.call("get_ticket", {"id": "T-1030"}, timeout=5)
        assert "Split exports turned on." in outcome.parts[0].text


async def test_a_forgotten_session_is_opened_again_for_a_listing(fake: FakeService, pool: ServicePool) -> None:
    session = await pool.session(endpoint(fake.url))
    await session.list_tools()
    fake.sessions.clear()
    assert len(await session.list_tools()) == 1
    assert fake.count("initialize") == 2


async def test_a_call_that_meets_a_forgotten_session_is_sent_again_in_a_new_one(fake: FakeService, pool: ServicePool) -> None:
    fake.result(content=[{"type": "text", "text": "fine"}])
    session = await pool.session(endpoint(fake.url))
    fake.sessions.clear()
    assert (await session.call("echo", {}, timeout=5)).parts == (Text("fine"),)
    assert (fake.count("initialize"), fake.count("tools/call")) == (2, 2)


async def test_a_server_that_forgets_every_session_is_asked_twice_and_no_more(fake: FakeService, pool: ServicePool) -> None:
    async def forget(request: web.Request) -> web.Response | None:
        return web.Response(status=404) if b"tools/call" in await request.read() else None

    session = await pool.session(endpoint(fake.url))
    fake.every = forget
    with pytest.raises(SessionForgotten, match="no longer knows our session") as caught:
        await session.call("echo", {}, timeout=5)
    assert fake.count("initialize") == 2
    assert not caught.value.may_have_run


async def test_a_call_whose_connection_breaks_may_have_run(fake: FakeService, pool: ServicePool) -> None:
    async def answer(request: web.Request, message: dict[str, Any]) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        await asyncio.Event().wait()
        raise AssertionError

    fake.on["tools/call"] = answer
    session = await pool.session(endpoint(fake.url))
    with pytest.raises(ServiceUnreachable) as caught:
        await session.call("echo", {}, timeout=5)
    assert caught.value.may_have_run
    assert fake.count("tools/call") == 1
    assert len(await session.list_tools()) == 1
    assert fake.count("initialize") == 1


async def test_an_idle_connection_closes_by_itself_and_opens_again(fake: FakeService) -> None:
    deleted = asyncio.Event()

    async def every(request: web.Request) -> None:
        if request.method == "DELETE":
            deleted.set()

    fake.every = every
    pool = ServicePool(LOOPBACK, limits=Limits(idle_seconds=0.1))
    session = await pool.session(endpoint(fake.url))
    async with asyncio.timeout(5):
        await deleted.wait()
    assert not session.is_connected
    assert len(await (await pool.session(endpoint(fake.url))).list_tools()) == 1
    assert fake.count("initialize") == 2
    await pool.aclose()


async def test_a_busy_connection_is_not_idle(fake: FakeService) -> None:
    answered = asyncio.Event()

    async def answer(request: web.Request, message: dict[str, Any]) -> dict[str, Any]:
        await answered.wait()
        return {"content": [{"type": "text", "text": "late"}]}

    fake.on["tools/call"] = answer
    pool = ServicePool(LOOPBACK, limits=Limits(idle_seconds=0.05))
    session = await pool.session(endpoint(fake.url))
    call = asyncio.create_task(session.call("echo", {}, timeout=5))
    await asyncio.wait({call}, timeout=0.3)
    answered.set()
    assert (await call).parts == (Text("late"),)
    await pool.aclose()


async def test_the_session_unused_for_longest_gives_way(fake: FakeService) -> None:
    pool = ServicePool(LOOPBACK, limits=QUICK, max_sessions=2)
    a = await pool.session(endpoint(fake.url, "a"))
    await pool.session(endpoint(fake.url, "b"))
    assert await pool.session(endpoint(fake.url, "a")) is a
    await pool.session(endpoint(fake.url, "c"))
    assert len(pool) == 2
    assert await pool.session(endpoint(fake.url, "a")) is a
    await pool.aclose()


async def test_when_all_are_busy_one_more_is_refused(fake: FakeService) -> None:
    answered = asyncio.Event()

    async def answer(request: web.Request, message: dict[str, Any]) -> dict[str, Any]:
        await answered.wait()
        return {"content": []}

    fake.on["tools/call"] = answer
    pool = ServicePool(LOOPBACK, limits=QUICK, max_sessions=1)
    session = await pool.session(endpoint(fake.url, "a"))
    call = asyncio.create_task(session.call("echo", {}, timeout=5))
    await fake.wait_for("tools/call")
    with pytest.raises(ServiceUnreachable, match="in use"):
        await pool.session(endpoint(fake.url, "b"))
    answered.set()
    await call
    await pool.aclose()


async def test_a_closed_pool_leaves_no_task_and_takes_no_request(fake: FakeService) -> None:
    before = asyncio.all_tasks()
    pool = ServicePool(LOOPBACK, limits=QUICK)
    session = await pool.session(endpoint(fake.url))
    await pool.session(endpoint(fake.url, "b"))
    pool.forget("b")
    await pool.aclose()
    ours = {task for task in asyncio.all_tasks() - before if task.get_name().startswith("mcp ")}
    assert not ours
    with pytest.raises(ServiceUnreachable):
        await pool.session(endpoint(fake.url))
    with pytest.raises(ServiceUnreachable):
        await session.call("echo", {}, timeout=1)


async def test_closing_does_not_wait_for_a_server_that_is_gone(fake: FakeService) -> None:
    async def every(request: web.Request) -> None:
        if request.method == "DELETE":
            await asyncio.Event().wait()

    pool = ServicePool(LOOPBACK, limits=QUICK)
    await pool.session(endpoint(fake.url))
    fake.every = every
    async with asyncio.timeout(8):
        await pool.aclose()
    with pytest.raises(ServiceUnreachable):
        await pool.session(endpoint(fake.url))


async def test_closing_ends_a_connect_under_way(fake: FakeService) -> None:
    asked = asyncio.Event()

    async def every(request: web.Request) -> None:
        asked.set()
        await asyncio.Event().wait()

    fake.every = every
    pool = ServicePool(LOOPBACK, limits=QUICK)
    waiting = asyncio.create_task(pool.session(endpoint(fake.url)))
    await asked.wait()
    async with asyncio.timeout(QUICK.connect_seconds / 2):
        await pool.aclose()
        with pytest.raises(ServiceUnreachable):
            await waiting


# ── probe ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_probe_lists_and_leaves(fake: FakeService) -> None:
    before = asyncio.all_tasks()
    assert [tool.name for tool in await probe(endpoint(fake.url), LOOPBACK)] == ["echo"]
    assert not {task for task in asyncio.all_tasks() - before if task.get_name().startswith("mcp ")}


async def test_a_probe_of_nothing() -> None:
    async with fake_service() as gone:
        url = gone.url
    with pytest.raises(ServiceError):
        await probe(endpoint(url), LOOPBACK)


# ── SSE, for older servers ───────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def sse_server() -> Iterator[str]:
    mcp = MCPServer("older", log_level="ERROR")

    @mcp.tool()
    async def add(a: int, b: int) -> str:
        return str(a + b)

    @mcp.tool()
    async def hang() -> str:
        await asyncio.Event().wait()
        return ""

    @mcp.tool()
    async def tell(length: int) -> str:
        return "x" * length

    with serving(mcp.sse_app()) as origin:
        yield f"{origin}/sse"


async def test_the_older_transport(pool: ServicePool) -> None:
    with sse_server() as url:
        session = await pool.session(endpoint(url, transport="sse"))
        assert [tool.name for tool in await session.list_tools()] == ["add", "hang", "tell"]
        outcomes = await asyncio.gather(*(session.call("add", {"a": n, "b": 1}, timeout=5) for n in range(10)))
        assert [outcome.parts for outcome in outcomes] == [(Text(str(n + 1)),) for n in range(10)]
        with pytest.raises(ServiceTimeout):
            await session.call("hang", {}, timeout=0.2)
        assert (await session.call("add", {"a": 1, "b": 1}, timeout=5)).parts == (Text("2"),)
        await pool.aclose()


async def test_an_answer_too_long_for_the_older_transport_leaves_its_session_alone(pool: ServicePool) -> None:
    with sse_server() as url:
        session = await pool.session(endpoint(url, transport="sse"))
        hanging = asyncio.create_task(session.call("hang", {}, timeout=5))
        with pytest.raises(ServiceProtocolError, match="its answer is longer than 1,000,000 bytes") as caught:
            await session.call("tell", {"length": 3_000_000}, timeout=5)
        assert caught.value.may_have_run
        assert len((await session.call("tell", {"length": 200_000}, timeout=5)).parts[0].text) == 200_000
        assert not hanging.done()
        hanging.cancel()
        await pool.aclose()


async def test_the_older_transport_at_a_newer_server(fake: FakeService, pool: ServicePool) -> None:
    with pytest.raises((ServiceProtocolError, ServiceUnauthorized)):
        await pool.session(endpoint(fake.url, transport="sse"))


async def test_the_older_transport_notices_a_refused_message_at_once(fake: FakeService, pool: ServicePool) -> None:
    async def every(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return web.Response(status=401)
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        await stream.write(b"event: endpoint\ndata: /mcp\n\n")
        await asyncio.Event().wait()
        return stream

    fake.every = every
    with pytest.raises(ServiceUnauthorized):
        async with asyncio.timeout(QUICK.connect_seconds / 2):
            await pool.session(endpoint(fake.url, transport="sse"))
