"""agent.mcp.client, over real sockets: the demo server as it is, and services that behave badly"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import zlib
from typing import Annotated, Any

import pytest
from aiohttp import web
from mcp.server import Server
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolRequestParams, ElicitRequest, ElicitRequestFormParams, InputRequiredResult
from pydantic import Field

from agent.mcp.client import ServiceSession
from agent.mcp.errors import ServiceProtocolError, ServiceTimeout, ServiceUnauthorized, ServiceUnreachable
from agent.mcp.limits import Limits
from llmconfig.llm import Secret, Text
from llmconfig.net import EgressPolicy
from tests.agent.mcp.conftest import LOOPBACK, QUICK, endpoint
from tests.agent.mcp.fake import FakeService, fake_service, reply, serving, tool

KEY = "canary-7f3a91c2"
AUTHORIZED = {"Authorization": Secret(f"Bearer {KEY}")}


@pytest.fixture
async def demo_session(demo):
    session = ServiceSession(endpoint(demo.url), LOOPBACK, QUICK)
    yield session
    await session.aclose()


@pytest.fixture
async def session(fake):
    session = ServiceSession(endpoint(fake.url, headers=AUTHORIZED), LOOPBACK, QUICK)
    yield session
    await session.aclose()


# ── the demo server ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_lists_the_tools_with_their_hints(demo_session) -> None:
    tools = {tool.name: tool for tool in await demo_session.list_tools()}
    assert len(tools) == 9
    assert tools["search_tickets"].suggests_read_only
    assert tools["close_ticket"].suggests_destructive
    assert tools["get_ticket"].input_schema["required"] == ["id"]


async def test_two_listings_have_equal_hashes(demo_session) -> None:
    first, second = await demo_session.list_tools(), await demo_session.list_tools()
    assert [t.definition_hash for t in first] == [t.definition_hash for t in second]


async def test_calls_a_tool(demo_session) -> None:
    outcome = await demo_session.call("get_ticket", {"id": "T-1031"}, timeout=5)
    (part,) = outcome.parts
    assert not outcome.is_error
    assert json.loads(part.text)["title"] == "Invoice 8841 charged twice"


@pytest.mark.parametrize(("name", "arguments", "says"), [
    ("get_ticket", {"id": "T-1"}, "search_tickets"),
    ("no_such_tool", {}, "no_such_tool"),
    ("get_ticket", {}, "id"),
])  # fmt: skip
async def test_what_a_model_got_wrong_is_an_outcome_it_can_read(demo_session, name, arguments, says) -> None:
    outcome = await demo_session.call(name, arguments, timeout=5)
    assert outcome.is_error
    assert says in outcome.parts[0].text


# ── parallel, deadline, cancel ───────────────────────────────────────────────────────────────────────────────────────


async def test_calls_on_one_session_run_side_by_side(fake: FakeService, session: ServiceSession) -> None:
    all_there = asyncio.Barrier(20)

    async def answer(request: web.Request, message: dict[str, Any]) -> dict[str, Any]:
        await all_there.wait()  # nobody is answered before everybody has asked
        return {"content": [{"type": "text", "text": str(message["params"]["arguments"]["n"])}]}

    fake.on["tools/call"] = answer
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*(session.call("echo", {"n": n}, timeout=5) for n in range(20)))
    assert [outcome.parts for outcome in outcomes] == [(Text(str(n)),) for n in range(20)]
    assert fake.count("initialize") == 1


def hanging(fake: FakeService) -> asyncio.Event:
    """Make `tools/call` of the tool `hang` wait for ever; the event says that the server noticed the caller leave."""
    left = asyncio.Event()

    async def answer(request: web.Request, message: dict[str, Any]) -> dict[str, Any]:
        if message["params"]["name"] == "hang":
            try:
                await asyncio.Event().wait()
            finally:
                left.set()
        return {"content": [{"type": "text", "text": "fine"}]}

    fake.on["tools/call"] = answer
    return left


async def test_a_deadline_is_kept_and_the_server_told(fake: FakeService, session: ServiceSession) -> None:
    left = hanging(fake)
    with pytest.raises(ServiceTimeout, match=r"did not answer hang in 0\.2 s") as caught:
        await session.call("hang", {}, timeout=0.2)
    assert caught.value.may_have_run
    await fake.wait_for("notifications/cancelled")
    async with asyncio.timeout(2):
        await left.wait()
    assert (await session.call("echo", {}, timeout=5)).parts == (Text("fine"),)
    assert fake.count("initialize") == 1


async def test_a_cancelled_call_tells_the_server_and_leaves_the_session_and_its_other_calls_alone(fake, session) -> None:
    left = hanging(fake)
    hang = asyncio.create_task(session.call("hang", {}, timeout=30))
    other = asyncio.create_task(session.call("hang", {}, timeout=30))
    await fake.wait_for("tools/call", 2)
    hang.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hang
    await fake.wait_for("notifications/cancelled")
    async with asyncio.timeout(2):
        await left.wait()
    assert not other.done()
    assert (await session.call("echo", {}, timeout=5)).parts == (Text("fine"),)
    assert fake.count("initialize") == 1
    other.cancel()
    await asyncio.wait({other})


async def test_a_server_that_takes_no_cancellation_delays_nobody(fake: FakeService, session: ServiceSession) -> None:
    hanging(fake)

    async def every(request: web.Request) -> web.StreamResponse | None:
        if b"notifications/cancelled" in await request.read():
            await asyncio.Event().wait()
        return None

    fake.every = every
    with pytest.raises(ServiceTimeout):
        await session.call("hang", {}, timeout=0.1)
    async with asyncio.timeout(1):
        assert (await session.call("echo", {}, timeout=1)).parts == (Text("fine"),)


# ── what keeps a service from being used ─────────────────────────────────────────────────────────────────────────────


async def refused(url: str, **more: Any) -> Exception:
    session = ServiceSession(endpoint(url, **more), LOOPBACK, QUICK)
    try:
        with pytest.raises(Exception) as caught:  # noqa: PT011  each test says which
            await session.list_tools()
        return caught.value
    finally:
        await session.aclose()


async def test_nobody_there() -> None:
    async with fake_service() as gone:
        url = gone.url
    error = await refused(url)
    assert isinstance(error, ServiceUnreachable)
    assert "connection refused" in error.detail
    assert not error.may_have_run


async def test_a_wrong_path(demo) -> None:
    error = await refused(demo.url.replace("/mcp", "/elsewhere"))
    assert isinstance(error, ServiceProtocolError)
    assert (error.status, "no MCP server" in error.detail) == (404, True)


async def test_an_address_that_policy_forbids_keeps_its_sentence(demo) -> None:
    session = ServiceSession(endpoint(demo.url), EgressPolicy(), QUICK)
    with pytest.raises(ServiceUnreachable, match=r"is a private address\. An operator must add .* to ROUTEKIT_PRIVATE_HOSTS"):
        await session.list_tools()
    await session.aclose()


@pytest.mark.parametrize(("status", "error"), [
    (401, ServiceUnauthorized), (403, ServiceUnauthorized), (404, ServiceProtocolError), (405, ServiceProtocolError),
    (429, ServiceUnreachable), (500, ServiceUnreachable), (503, ServiceUnreachable),
])  # fmt: skip
@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
async def test_a_status_that_ends_it(fake: FakeService, status, error, transport) -> None:
    async def every(request: web.Request) -> web.StreamResponse | None:
        return web.json_response({"error": f"bad key {request.headers['Authorization']}"}, status=status)

    fake.every = every
    caught = await refused(fake.url, headers=AUTHORIZED, transport=transport)
    assert isinstance(caught, error)
    assert caught.status == status
    assert ("Wait a minute" in caught.message) is (status == 429)
    assert KEY not in f"{caught.message} {caught!r}"


async def test_an_error_that_quotes_the_key_is_scrubbed(fake: FakeService, session: ServiceSession) -> None:
    async def answer(request: web.Request, message: dict[str, Any]) -> web.Response:
        error = {"code": -32000, "message": f"token {KEY} has no quota"}
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": error})

    fake.on["tools/call"] = answer
    with pytest.raises(ServiceProtocolError, match="has no quota") as caught:
        await session.call("echo", {}, timeout=5)
    assert KEY not in caught.value.message


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_a_key_that_is_sent_back_in_garbage_reaches_no_log(fake: FakeService, session: ServiceSession, caplog, kind) -> None:
    async def answer(request: web.Request, message: dict[str, Any]) -> web.Response:
        return web.Response(text=f'data: {{"you sent": "{KEY}"}}\n\n', content_type=kind)

    fake.on["tools/call"] = answer
    with caplog.at_level("INFO"), pytest.raises(ServiceProtocolError) as caught:
        await session.call("echo", {}, timeout=5)
    assert KEY not in caplog.text
    assert KEY not in caught.value.message


async def test_a_key_in_the_address_reaches_no_log(fake: FakeService, caplog) -> None:
    session = ServiceSession(endpoint(f"{fake.url}?key={KEY}"), LOOPBACK, QUICK)
    fake.result(content=[{"type": "text", "text": "ran"}])
    with caplog.at_level("DEBUG"), caplog.at_level("DEBUG", logger="httpx2"):
        await session.list_tools()
        await session.call("echo", {}, timeout=5)
        await session.aclose()
    assert fake.count("tools/call") == 1
    assert KEY not in caplog.text


async def test_the_credentials_are_sent(fake: FakeService, session: ServiceSession) -> None:
    await session.list_tools()
    assert {headers.get("Authorization") for headers in fake.headers} == {f"Bearer {KEY}"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_refused_and_the_credentials_stay(fake: FakeService, status) -> None:
    async with fake_service() as elsewhere:

        async def every(request: web.Request) -> web.StreamResponse | None:
            return web.Response(status=status, headers={"Location": f"{elsewhere.url}?token=abc"})

        fake.every = every
        caught = await refused(fake.url, headers=AUTHORIZED)
        assert isinstance(caught, ServiceProtocolError)
        assert f"redirects to {elsewhere.url}, which is not followed" in caught.detail
        assert elsewhere.headers == []


async def test_a_server_that_says_nothing_is_given_up_at_the_connect_deadline() -> None:
    held: list[asyncio.StreamWriter] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    session = ServiceSession(endpoint(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"), LOOPBACK, Limits(connect_seconds=0.3))
    async with asyncio.timeout(3):
        with pytest.raises(ServiceTimeout) as caught:
            await session.connect()
    assert not caught.value.may_have_run
    await session.aclose()
    for writer in held:
        writer.close()
    server.close()
    await server.wait_closed()


# ── what a service may send ──────────────────────────────────────────────────────────────────────────────────────────


async def test_huge_output_is_cut_visibly(fake: FakeService, session: ServiceSession) -> None:
    fake.result(content=[{"type": "text", "text": "x" * 3_000_000}])
    outcome = await session.call("echo", {}, timeout=10)
    assert outcome.truncated
    assert len(outcome.parts[0].text) < QUICK.text_bytes + 100
    assert outcome.parts[0].text.endswith("[cut here: 2,737,856 of 3,000,000 bytes left out]")


async def test_huge_output_in_an_event_stream_is_cut_alike(fake: FakeService, session: ServiceSession) -> None:
    async def answer(request: web.Request, message: dict[str, Any]) -> web.Response:
        result = {"content": [{"type": "text", "text": "x" * 3_000_000}]}
        data = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
        return web.Response(text=f"event: message\ndata: {data}\n\n", content_type="text/event-stream")

    fake.on["tools/call"] = answer
    assert (await session.call("echo", {}, timeout=10)).truncated


async def bomb(request: web.Request, kind: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": kind, "Content-Encoding": "gzip"})
    await response.prepare(request)
    packer = zlib.compressobj(wbits=31)
    for _ in range(200):
        await response.write(packer.compress(b" " * 1_000_000))
    await response.write(packer.flush())
    return response


async def endless(request: web.Request, kind: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": kind})
    await response.prepare(request)
    piece = b": ping\n\n" * 8192 if kind == "text/event-stream" else b" " * 65536
    while True:
        await response.write(piece)


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("flood", [bomb, endless])
async def test_a_body_without_end_is_cut_off_and_the_session_lives(fake: FakeService, session: ServiceSession, kind, flood) -> None:
    async def answer(request: web.Request, message: dict[str, Any]) -> web.StreamResponse:
        if message["params"]["name"] == "flood":
            return await flood(request, kind)
        return reply(message, {"content": [{"type": "text", "text": "fine"}]})

    fake.on["tools/call"] = answer
    with pytest.raises(ServiceProtocolError, match="longer than 8,388,608 bytes") as caught:
        await session.call("flood", {}, timeout=20)
    assert caught.value.may_have_run
    assert (await session.call("echo", {}, timeout=5)).parts == (Text("fine"),)


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_an_answer_that_breaks_off_may_have_run(fake: FakeService, session: ServiceSession, kind) -> None:
    async def answer(request: web.Request, message: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        await response.write(b'data: {"jsonrpc"')
        assert request.transport is not None
        request.transport.abort()
        return response

    fake.on["tools/call"] = answer
    with pytest.raises(ServiceUnreachable, match="in the middle of its answer") as caught:
        await session.call("echo", {}, timeout=5)
    assert caught.value.may_have_run
    assert len(await session.list_tools()) == 1
    assert fake.count("initialize") == 1


async def test_a_listing_has_a_deadline(fake: FakeService) -> None:
    async def answer(request: web.Request, message: dict[str, Any]) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    fake.on["tools/list"] = answer
    session = ServiceSession(endpoint(fake.url), LOOPBACK, Limits(list_seconds=0.2))
    with pytest.raises(ServiceTimeout, match=r"did not list its tools in 0\.2 s"):
        await session.list_tools()
    await session.aclose()


@pytest.mark.parametrize("body", ["{{{", "[]", "null", '{"jsonrpc":"2.0"}', '{"jsonrpc":"2.0","id":1,"result":{"content":"no list"}}', ""])
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/html"])
async def test_an_answer_that_is_not_mcp(fake: FakeService, session: ServiceSession, body, kind) -> None:
    async def answer(request: web.Request, message: dict[str, Any]) -> web.Response:
        text = f"event: message\ndata: {body}\n\n" if kind == "text/event-stream" else body
        return web.Response(text=text.replace('"id":1', f'"id":{message["id"]}'), content_type=kind)

    await session.connect()
    fake.on["tools/call"] = answer
    with pytest.raises((ServiceProtocolError, ServiceUnreachable)) as caught:
        await session.call("echo", {}, timeout=2)
    assert caught.value.may_have_run
    fake.result(content=[{"type": "text", "text": "fine"}])
    assert (await session.call("echo", {}, timeout=5)).parts == (Text("fine"),)


async def test_a_result_against_the_tools_own_schema_is_still_its_result(fake: FakeService, session: ServiceSession) -> None:
    fake.tools(tool("echo", outputSchema={"type": "object", "required": ["n"]}))
    fake.result(content=[{"type": "text", "text": "ran"}], structuredContent={})
    await session.list_tools()
    assert (await session.call("echo", {}, timeout=5)).parts == (Text("ran"),)


async def test_a_part_of_an_unknown_type_is_named_and_the_others_are_kept(fake: FakeService, session: ServiceSession) -> None:
    fake.result(content=[{"type": "text", "text": "ran"}, {"type": "hologram"}])
    outcome = await session.call("echo", {}, timeout=5)
    assert outcome.parts == (Text("ran"), Text("[a part of type hologram left out, it cannot be shown]"))
    assert not outcome.is_error


@pytest.mark.parametrize("result", [{}, {"content": None, "isError": None, "structuredContent": None}])
async def test_an_empty_result_is_that_of_a_tool_that_ran(fake: FakeService, session: ServiceSession, result) -> None:
    async def answer(request: web.Request, message: dict[str, Any]) -> web.Response:
        return reply(message, result)

    fake.on["tools/call"] = answer
    outcome = await session.call("echo", {}, timeout=5)
    assert (outcome.parts, outcome.is_error) == ((Text("[the tool returned nothing]"),), False)


async def test_five_thousand_tools_are_capped(fake: FakeService, session: ServiceSession) -> None:
    fake.tools(*(tool(f"tool_{n}") for n in range(5000)))
    tools = await session.list_tools()
    assert [t.name for t in tools] == [f"tool_{n}" for n in range(1000)]
    assert tools.left_out == "It lists more tools than are taken: the first 1,000 are used."


async def test_a_tool_whose_name_cannot_be_stored_costs_the_others_nothing(fake: FakeService, session: ServiceSession) -> None:
    fake.tools(tool("n" * 300), tool("echo"), tool(""), tool("a\x00b"))
    tools = await session.list_tools()
    assert [t.name for t in tools] == ["echo"]
    assert tools.left_out == f"3 entries of its list are left out, being no usable tool: '{'n' * 60}', one without a name, 'a\\x00b'."


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_what_is_no_tool_costs_the_tools_nothing_and_is_named(fake: FakeService, session: ServiceSession, kind) -> None:
    async def answer(request: web.Request, message: dict[str, Any]) -> web.Response:
        tools = [{"nome": "x"}, tool("echo"), tool(f"odd-{KEY}", inputSchema={"type": "string"}), {"name": "bare", "inputSchema": {}}]
        text = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"tools": tools}})
        return web.Response(text=f"data: {text}\n\n" if kind == "text/event-stream" else text, content_type=kind)

    fake.on["tools/list"] = answer
    tools = await session.list_tools()
    assert [t.name for t in tools] == ["echo", "bare"]
    assert tools.left_out == "2 entries of its list are left out, being no usable tool: one without a name, 'odd-••••'."


async def test_a_list_without_anything_odd_leaves_nothing_out(demo_session) -> None:
    assert (await demo_session.list_tools()).left_out == ""


async def test_long_definitions_are_capped(fake: FakeService, session: ServiceSession) -> None:
    fake.tools(*(tool(f"tool_{n}", description="x" * 500_000) for n in range(10)))
    tools = await session.list_tools()
    assert len(tools) == 4
    assert "the first 4 are used" in tools.left_out


async def test_pages_are_followed_and_a_list_without_end_is_not(fake: FakeService, session: ServiceSession) -> None:
    async def answer(request: web.Request, message: dict[str, Any]) -> dict[str, Any]:
        page = int((message.get("params") or {}).get("cursor") or 0)
        return {"tools": [tool(f"tool_{page}"), tool("same")], "nextCursor": str(page + 1)}

    fake.on["tools/list"] = answer
    tools = await session.list_tools()
    assert fake.count("tools/list") == QUICK.pages
    assert [t.name for t in tools][:4] == ["tool_0", "same", "tool_1", "tool_2"]
    assert len(tools) == QUICK.pages + 1
    assert "the first 101 are used" in tools.left_out


async def test_a_refused_call_is_an_outcome(fake: FakeService, session: ServiceSession) -> None:
    async def answer(request: web.Request, message: dict[str, Any]) -> web.Response:
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32602, "message": "Unknown tool: x"}})

    fake.on["tools/call"] = answer
    outcome = await session.call("x", {}, timeout=5)
    assert outcome.is_error
    assert outcome.parts == (Text("The service refused this call: Unknown tool: x"),)


async def test_an_argument_that_must_be_mirrored_into_a_header_is_learnt_from_the_listing() -> None:
    mcp = MCPServer("modern", log_level="ERROR")

    @mcp.tool()
    async def report(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
        return f"report of {region}"

    with serving(mcp.streamable_http_app(stateless_http=True)) as origin:
        session = ServiceSession(endpoint(f"{origin}/mcp"), LOOPBACK, QUICK)
        assert (await session.call("report", {"region": "north"}, timeout=5)).parts[0] == Text("report of north")
        await session.aclose()


async def test_a_tool_that_asks_back_is_told_that_it_cannot() -> None:
    question = ElicitRequest(
        params=ElicitRequestFormParams(message="Sure?", requested_schema={"type": "object", "properties": {"sure": {"type": "boolean"}}})
    )

    async def ask(context: Any, params: CallToolRequestParams) -> InputRequiredResult:
        return InputRequiredResult(input_requests={"sure": question}, request_state="s")

    with serving(Server("asks", on_call_tool=ask).streamable_http_app(stateless_http=True)) as origin:
        session = ServiceSession(endpoint(f"{origin}/mcp"), LOOPBACK, QUICK)
        outcome = await session.call("delete", {}, timeout=5)
        assert outcome.is_error
        assert "further input" in outcome.parts[0].text
        await session.aclose()


def test_the_sdk_is_loaded_only_when_a_connection_is_made() -> None:
    script = (
        "import sys, agent.mcp.pool, agent.mcp.policy, agent.mcp.names; print(sorted({'mcp', 'pydantic', 'httpx2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
