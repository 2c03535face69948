"""agent.mcp.faults: what the SDK raises, in the tree's words. What the wire shows is tested over real sockets in test_client."""

from __future__ import annotations

import httpx2
import pytest
from mcp import MCPError

from agent.mcp.bounds import Exchange, Unreadable
from agent.mcp.endpoint import Endpoint
from agent.mcp.errors import ServiceError, ServiceProtocolError, ServiceTimeout, ServiceUnreachable
from agent.mcp.faults import explain

ENDPOINT = Endpoint("k", "https://crm.example/mcp")


@pytest.mark.parametrize(("error", "kind", "says"), [
    (MCPError(-32001, "Request 'tools/call' timed out"), ServiceTimeout, "in time"),
    (MCPError(-32001, "Ledger is locked."), ServiceProtocolError, "error: Ledger is locked."),
    (MCPError(-32000, "Connection closed"), ServiceUnreachable, "closed the connection"),
    (MCPError(-32000, "SSE stream ended without a response"), ServiceUnreachable, "closed the connection"),
    (MCPError(-32000, "No quota"), ServiceProtocolError, "No quota"),
    (MCPError(-32603, "x" * 1000), ServiceProtocolError, "x…"),
    (TimeoutError(), ServiceTimeout, "in time"),
    (RuntimeError("Unsupported protocol version from the server: 1"), ServiceProtocolError, "not MCP"),
    (OSError("gone"), ServiceUnreachable, "ended"),
    (ExceptionGroup("a", [ExceptionGroup("b", [TimeoutError()])]), ServiceTimeout, "in time"),
])  # fmt: skip
@pytest.mark.parametrize("calling", [True, False])
def test_what_the_sdk_raises(error, kind, says, calling) -> None:
    found = explain(error, Exchange(), ENDPOINT, calling=calling)
    assert type(found) is kind
    assert says in found.detail
    assert found.may_have_run is calling
    assert len(found.detail) < 400


@pytest.mark.parametrize(("failure", "kind", "may_have_run"), [
    (httpx2.ConnectTimeout("no connection within the time allowed"), ServiceTimeout, False),
    (httpx2.ConnectError("connection refused"), ServiceUnreachable, False),
    (httpx2.ReadTimeout("the server fell silent"), ServiceTimeout, True),
    (httpx2.ReadError("the connection was reset"), ServiceUnreachable, True),
    (ValueError(), ServiceUnreachable, True),
])  # fmt: skip
def test_a_failure_on_the_wire_outweighs_what_the_sdk_made_of_it(failure, kind, may_have_run) -> None:
    exchange = Exchange()
    exchange.fail(failure)
    found = explain(MCPError(-32603, "Server returned an error response"), exchange, ENDPOINT, calling=True)
    assert (type(found), found.may_have_run) == (kind, may_have_run)


def test_another_4xx_says_what_the_service_said_or_its_number() -> None:
    exchange = Exchange()
    exchange.status = 422
    plain = explain(MCPError(-32603, "Server returned an error response"), exchange, ENDPOINT, calling=True)
    assert plain.detail == "https://crm.example/mcp refused the request (422)."
    assert plain.status == 422
    spoken = explain(MCPError(-32099, "Name is taken"), exchange, ENDPOINT, calling=True)
    assert spoken.detail.endswith("answered with an error: Name is taken.")


def test_a_version_we_do_not_know() -> None:
    found = explain(MCPError(-32022, "no", {"supported": ["2199-01-01"]}), Exchange(), ENDPOINT, calling=False)
    assert "no MCP version" in found.detail


@pytest.mark.parametrize(("status", "says"), [(429, "Wait a minute and try again."), (503, "if it goes on, ask whoever runs")])
@pytest.mark.parametrize("calling", [True, False])
def test_advice_fits_the_status(status: int, says: str, calling: bool) -> None:
    exchange = Exchange()
    exchange.status = status
    found = explain(MCPError(-32603, "Server returned an error response"), exchange, ENDPOINT, calling=calling)
    assert says in found.message
    assert "Check" not in found.message


@pytest.mark.parametrize(("calling", "says"), [(True, "Ask for less at once."), (False, "fewer tools, or for shorter descriptions")])
def test_advice_for_what_is_too_long(calling: bool, says: str) -> None:
    exchange = Exchange()
    exchange.fail(Unreadable("its answer is longer than 8 bytes"))
    for error, seen in ((ValueError(), exchange), (MCPError(-32603, "its answer is longer than 8 bytes"), Exchange())):
        found = explain(error, seen, ENDPOINT, calling=calling)
        assert found.detail == "https://crm.example/mcp was cut off: its answer is longer than 8 bytes."
        assert says in found.message
        assert "address" not in found.message


def test_an_error_that_an_mcp_server_reports_is_its_own() -> None:
    found = explain(MCPError(-32000, "Ledger is locked"), Exchange(), ENDPOINT, calling=False)
    assert "error: Ledger is locked. The service reported it. Try again" in found.message
    assert "address" not in found.message


def test_every_error_says_what_to_do_next() -> None:
    for kind in (ServiceError, *ServiceError.__subclasses__()):
        error = kind("It broke.")
        assert error.message == f"It broke. {kind.advice}"
    assert len({kind.kind for kind in ServiceError.__subclasses__()}) == 4
