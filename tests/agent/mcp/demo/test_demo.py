"""agent.mcp.demo: the tools over the wire, their durability, and the process"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from agent.mcp.client import ServiceSession
from tests.agent.mcp.conftest import LOOPBACK, QUICK, Demo, demo_at, endpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Desk:
    def __init__(self, session: ServiceSession) -> None:
        self.session = session

    async def __call__(self, name: str, **arguments: Any) -> Any:
        outcome = await self.session.call(name, arguments, timeout=5)
        assert not outcome.is_error, outcome.parts
        return json.loads(outcome.parts[0].text)

    async def error(self, name: str, **arguments: Any) -> str:
        outcome = await self.session.call(name, arguments, timeout=5)
        assert outcome.is_error
        return outcome.parts[0].text


@pytest.fixture
async def desk(demo: Demo) -> AsyncIterator[Desk]:
    session = ServiceSession(endpoint(demo.url), LOOPBACK, QUICK)
    yield Desk(session)
    await session.aclose()


READ_ONLY = {"search_tickets", "get_ticket", "find_customers", "get_customer", "search_articles", "get_article"}
DESTRUCTIVE = {"close_ticket", "delete_customer"}


async def test_every_tool_says_what_it_is(desk: Desk) -> None:
    tools = {tool.name: tool for tool in await desk.session.list_tools()}
    assert set(tools) == READ_ONLY | DESTRUCTIVE | {"create_ticket"}
    assert {name for name, tool in tools.items() if tool.suggests_read_only} == READ_ONLY
    assert {name for name, tool in tools.items() if tool.suggests_destructive} == DESTRUCTIVE
    assert tools["create_ticket"].annotations["idempotentHint"] is False
    assert all(tool.description and tool.annotations["title"] for tool in tools.values())


async def test_tickets_are_searched(desk: Desk) -> None:
    everything = await desk("search_tickets")
    assert everything["count"] >= 12
    assert everything["tickets"][0]["id"] == "T-1030"
    assert [t["id"] for t in (await desk("search_tickets", query="INVOICE twice"))["tickets"]] == ["T-1031"]
    assert {t["status"] for t in (await desk("search_tickets", status="waiting"))["tickets"]} == {"waiting"}
    assert (await desk("search_tickets", query="zeppelin")) == {"count": 0, "tickets": []}


async def test_a_ticket_is_opened_and_closed(desk: Desk) -> None:
    opened = await desk("create_ticket", title="Export stops", customer_id="c-203", priority="high")
    assert (opened["status"], opened["customer_id"]) == ("open", "C-203")
    closed = await desk("close_ticket", id=opened["id"], resolution="Split exports turned on.")
    assert closed == opened | {"status": "closed", "resolution": "Split exports turned on."}
    assert await desk("get_ticket", id=opened["id"]) == closed
    assert await desk("close_ticket", id=opened["id"], resolution="Split exports turned on.") == closed
    assert "closed already" in await desk.error("close_ticket", id=opened["id"], resolution="Something else.")


async def test_customers_and_articles(desk: Desk) -> None:
    assert (await desk("find_customers"))["count"] == 10
    (found,) = (await desk("find_customers", query="brew"))["customers"]
    assert await desk("get_customer", id=found["id"]) == found
    (hit,) = (await desk("search_articles", query="410"))["articles"]
    assert "410 Gone" in (await desk("get_article", id=hit["id"]))["text"]


async def test_a_customer_is_deleted_only_without_open_tickets(desk: Desk) -> None:
    assert "T-1030" in await desk.error("delete_customer", id="C-203")
    assert await desk("delete_customer", id="C-204") == {"deleted": "C-204", "name": "Quayside Legal"}
    assert "find_customers" in await desk.error("get_customer", id="C-204")


@pytest.mark.parametrize(("name", "arguments", "advice"), [
    ("get_ticket", {"id": "T-9999"}, "search_tickets"),
    ("get_ticket", {"id": "nonsense"}, "search_tickets"),
    ("close_ticket", {"id": "T-9999", "resolution": "done"}, "search_tickets"),
    ("create_ticket", {"title": "Broken", "customer_id": "C-999", "priority": "low"}, "find_customers"),
    ("create_ticket", {"title": "Broken", "customer_id": "C-201", "priority": "extreme"}, "priority"),
    ("get_customer", {"id": "C-1"}, "find_customers"),
    ("delete_customer", {"id": "T-1030"}, "find_customers"),
    ("get_article", {"id": "A-99"}, "search_articles"),
])  # fmt: skip
async def test_an_error_says_what_to_do(desk: Desk, name, arguments, advice) -> None:
    assert advice in await desk.error(name, **arguments)


async def test_what_tools_changed_survives_a_restart_and_numbers_are_not_given_twice(tmp_path: Path) -> None:
    with demo_at(tmp_path / "below" / "demo.sqlite3") as demo:
        session = ServiceSession(endpoint(demo.url), LOOPBACK, QUICK)
        desk = Desk(session)
        first = await desk("create_ticket", title="Kept", customer_id="C-201", priority="low")
        demo.stop(kill=True)
        demo.start()
        await session.list_tools()
        assert (await desk("get_ticket", id=first["id"]))["title"] == "Kept"
        second = await desk("create_ticket", title="Next", customer_id="C-201", priority="low")
        assert int(second["id"][2:]) == int(first["id"][2:]) + 1
        await session.aclose()


# ── the process ──────────────────────────────────────────────────────────────────────────────────────────────────────


def status_of(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_health_and_foreign_hosts(demo: Demo) -> None:
    assert status_of(demo.url.replace("/mcp", "/healthz")) == 200
    assert status_of(demo.url, Host="evil.example", Accept="text/event-stream") == 421


def test_sigterm_with_an_open_stream_ends_it_within_two_seconds(tmp_path: Path) -> None:
    with demo_at(tmp_path / "demo.sqlite3") as demo, socket.create_connection(("127.0.0.1", demo.port)) as stream:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"_meta": meta, "notifications": {"toolsListChanged": True}}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params})
        stream.sendall(
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{demo.port}\r\nContent-Type: application/json\r\n"
            "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n"
            f"Mcp-Method: subscriptions/listen\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        stream.settimeout(5)
        answer = stream.recv(4096)
        assert b"200 OK" in answer
        assert b"text/event-stream" in answer
        began = time.monotonic()
        assert demo.stop() == 0
        assert time.monotonic() - began < 2


def test_an_occupied_port_is_said_plainly(demo: Demo, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agent.mcp.demo", "--port", str(demo.port), "--data", str(tmp_path / "d")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr == f"The demo service cannot listen on 127.0.0.1:{demo.port}: Address already in use.\n"
