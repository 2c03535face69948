"""From whatever the SDK or the transport raised to the one `ServiceError` that says it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
from mcp import MCPError
from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT, UNSUPPORTED_PROTOCOL_VERSION
from pydantic import ValidationError

from agent.mcp.bounds import Unreadable
from agent.mcp.errors import ServiceError, ServiceProtocolError, ServiceTimeout, ServiceUnauthorized, ServiceUnreachable, SessionForgotten
from agent.mcp.standing import TOO_LONG

if TYPE_CHECKING:
    from agent.mcp.bounds import Exchange
    from agent.mcp.endpoint import Endpoint

_ITS_OPERATOR = "Try again; if it goes on, ask whoever runs the service."
_LONGEST_QUOTE = 300
_SDK_CLOSED = ("Connection closed", "SSE stream")
_SDK_STATUS = "Server returned an error response"
_NOT_CONNECTED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol, httpx2.InvalidURL)


def explain(error: BaseException, exchange: Exchange, endpoint: Endpoint, *, calling: bool) -> ServiceError:
    """calling: a tool call was under way, so that what is lost now may have run."""
    found = _of_wire(exchange, endpoint.place, calling=calling) or _of_error(_leaf(error), exchange, endpoint.place, calling=calling)
    return type(found)(endpoint.scrub(found.detail), status=found.status, may_have_run=found.may_have_run, advice=found.advice)


def _of_wire(exchange: Exchange, place: str, *, calling: bool) -> ServiceError | None:
    """What the transport saw is truer than what the SDK made of it."""
    if exchange.failure is not None:
        return _of_failure(exchange.failure, place, calling=calling)
    if exchange.redirected_to is not None:
        target = urlsplit(exchange.redirected_to)
        shown = f"{target.scheme}://{target.netloc.rpartition('@')[2]}{target.path}" if target.netloc else target.path
        return ServiceProtocolError(f"{place} redirects to {shown}, which is not followed: enter that address if you trust it.")
    if exchange.status is not None and exchange.status >= 400:
        return _of_status(exchange.status, exchange, place, calling=calling)
    return None


def _of_failure(failure: Exception, place: str, *, calling: bool) -> ServiceError:
    if isinstance(failure, _NOT_CONNECTED):
        kind = ServiceTimeout if isinstance(failure, httpx2.ConnectTimeout) else ServiceUnreachable
        return kind(f"No connection to {place}: {failure}{'' if str(failure).endswith('.') else '.'}")
    if isinstance(failure, Unreadable):
        return _too_long(str(failure), place, calling=calling)
    if isinstance(failure, httpx2.TimeoutException):
        return ServiceTimeout(f"{place} fell silent.", may_have_run=calling)
    return ServiceUnreachable(f"The connection to {place} broke: {failure or type(failure).__name__}.", may_have_run=calling)


def _of_status(status: int, exchange: Exchange, place: str, *, calling: bool) -> ServiceError | None:
    if status == 401:
        return ServiceUnauthorized(f"{place} refused our credentials (401).", status=status)
    if status == 403:
        return ServiceUnauthorized(f"{place} does not allow this with our credentials (403).", status=status)
    if exchange.session_forgotten:
        return SessionForgotten(f"{place} no longer knows our session ({status}); it was probably restarted.", status=status)
    if status in (404, 405, 406, 415):
        return ServiceProtocolError(f"There is no MCP server at {place} ({status}).", status=status)
    if status == 429:
        return ServiceUnreachable(f"{place} receives too many requests (429).", status=status, advice="Wait a minute and try again.")
    if status >= 500:
        return ServiceUnreachable(f"{place} is failing ({status}).", status=status, may_have_run=calling, advice=_ITS_OPERATOR)
    return None  # another 4xx usually carries a JSON-RPC error that says more


def _of_error(error: BaseException, exchange: Exchange, place: str, *, calling: bool) -> ServiceError:
    if isinstance(error, MCPError):
        return _of_answer(error, exchange, place, calling=calling)
    if isinstance(error, TimeoutError):
        return ServiceTimeout(f"{place} did not answer in time.", may_have_run=calling)
    if isinstance(error, (ValidationError, RuntimeError, ValueError, TypeError)):
        return ServiceProtocolError(f"{place} answered with something that is not MCP.", may_have_run=calling)
    return ServiceUnreachable(f"The connection to {place} ended.", may_have_run=calling)


def _of_answer(error: MCPError, exchange: Exchange, place: str, *, calling: bool) -> ServiceError:
    """-32000 and -32001 are the SDK's own for "closed" and "timed out", but servers use them too: the words tell which."""
    if error.code == REQUEST_TIMEOUT and "timed out" in error.message:
        return ServiceTimeout(f"{place} did not answer in time.", may_have_run=calling)
    if error.code == CONNECTION_CLOSED and error.message.startswith(_SDK_CLOSED):
        return ServiceUnreachable(f"{place} closed the connection before it answered.", may_have_run=calling)
    if error.code == UNSUPPORTED_PROTOCOL_VERSION:
        return ServiceProtocolError(f"{place} speaks no MCP version that we know.")
    if error.message == _SDK_STATUS:
        return ServiceProtocolError(f"{place} refused the request ({exchange.status}).", status=exchange.status)
    if error.message.startswith(TOO_LONG):
        return _too_long(error.message, place, calling=calling)
    told = f"{place} answered with an error: {_quote(error.message)}"
    return ServiceProtocolError(told, status=exchange.status, may_have_run=calling, advice=f"The service reported it. {_ITS_OPERATOR}")


def _too_long(told: str, place: str, *, calling: bool) -> ServiceProtocolError:
    advice = "Ask for less at once." if calling else "Ask whoever runs the service for fewer tools, or for shorter descriptions of them."
    return ServiceProtocolError(f"{place} was cut off: {told}.", may_have_run=calling, advice=advice)


def _quote(text: str) -> str:
    """One line that ends like a sentence, since advice follows."""
    line = " ".join(text.split())
    if len(line) > _LONGEST_QUOTE:
        return f"{line[:_LONGEST_QUOTE]}…"
    return line if line.endswith((".", "!", "?", "…")) else f"{line}."


def _leaf(error: BaseException) -> BaseException:
    """The first real cause in an exception group: the rest were cancelled because of it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
