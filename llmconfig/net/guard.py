"""The two points that every new connection passes: the resolver (all answers of a name) and the socket factory (each dial).

The resolver refuses a name if ANY of its addresses is forbidden, so that no race between addresses can pick a bad one. The
socket factory sees IP literals too, which a resolver never does. Which `host:port` is being dialled travels in a context
variable: aiohttp tells the socket factory the address alone.
"""

from __future__ import annotations

import socket
from contextvars import ContextVar
from typing import TYPE_CHECKING

from aiohttp.abc import AbstractResolver, ResolveResult

from llmconfig.net.policy import refusal

if TYPE_CHECKING:
    from aiohappyeyeballs import AddrInfoType, SocketFactoryType

    from llmconfig.net.policy import EgressPolicy

target: ContextVar[tuple[str, int]] = ContextVar("target", default=("", 0))
"""Host and port of the URL whose connection is being made. The default is listed nowhere."""


class DialRefused(OSError):
    """Inside aiohttp only an OSError stops one connection attempt and leaves the session whole."""


class GuardedResolver(AbstractResolver):
    def __init__(self, inner: AbstractResolver, policy: EgressPolicy) -> None:
        self._inner, self._policy = inner, policy

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        answers = await self._inner.resolve(host, port, family)
        for answer in answers:
            _judge(answer["host"], host, port, self._policy)
        return answers

    async def close(self) -> None:
        await self._inner.close()


def guarded_socket_factory(policy: EgressPolicy, open_socket: SocketFactoryType) -> SocketFactoryType:
    def dial(info: AddrInfoType) -> socket.socket:
        host, port = target.get()
        _judge(str(info[4][0]), host, port, policy)
        return open_socket(info)

    return dial


def open_socket(info: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = info
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return opened


def _judge(address: str, host: str, port: int, policy: EgressPolicy) -> None:
    reason = refusal(address, host=host, port=port, policy=policy)
    if reason is not None:
        raise DialRefused(reason)
