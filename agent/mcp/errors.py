"""What can go wrong between us and a service (an MCP server), as one tree.

ServiceError
├── ServiceUnreachable     no connection, a failing server (429, 5xx), or an address that policy forbids
│   └── SessionForgotten   it does not know our session any more, and ran nothing
├── ServiceUnauthorized    the service refused our credentials (401, 403)
├── ServiceTimeout         a deadline passed: connecting, listing or calling
└── ServiceProtocolError   it answered, but not as MCP: wrong address, a redirect, malformed or endless data

A tool that fails is not among them: that is an outcome (`ToolOutcome.is_error`) which the model reads.
"""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    """detail: what happened, for people, free of credentials. status: HTTP status, or None where none came.

    may_have_run: a tool call had left and its fate is unknown; False means that it certainly did not run.
    advice: what to do next, where the cause asks for something else than its kind does.
    """

    kind: ClassVar[str] = "service_error"
    advice: str = "Try again, or test the service in the settings."

    def __init__(self, detail: str, *, status: int | None = None, may_have_run: bool = False, advice: str = "") -> None:
        super().__init__(detail)
        self.detail, self.status, self.may_have_run = detail, status, may_have_run
        self.advice = advice or type(self).advice

    @property
    def message(self) -> str:
        """What happened, then what to do next."""
        return f"{self.detail} {self.advice}"


class ServiceUnreachable(ServiceError):
    kind = "service_unreachable"
    advice = "Check the service's address and that it is running."


class SessionForgotten(ServiceUnreachable):
    """The specification asks for a new session then, in which the same request may be sent again."""


class ServiceUnauthorized(ServiceError):
    kind = "service_unauthorized"
    advice = "Check the service's token and what it is allowed to do, then save it again."


class ServiceTimeout(ServiceError):
    kind = "service_timeout"
    advice = "Try again; if it goes on, ask whoever runs the service."


class ServiceProtocolError(ServiceError):
    kind = "service_protocol_error"
    advice = "Check that the address is that of an MCP server, usually ending in /mcp, and that the transport is the right one."
