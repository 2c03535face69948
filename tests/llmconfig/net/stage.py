"""A stage for dials that must never happen: a resolver with answers of our choice and sockets that only write down where they would go."""

from __future__ import annotations

import socket
from collections import deque
from typing import TYPE_CHECKING, Any

from aiohttp.abc import AbstractResolver, ResolveResult

from llmconfig.net import build_client, transport
from llmconfig.net.client import tls_context
from llmconfig.net.transport import GuardedTransport

if TYPE_CHECKING:
    import httpx2
    import pytest

    from llmconfig.net import EgressPolicy


class FakeResolver(AbstractResolver):
    """Each lookup of a name takes the next of its answers; the last one stays."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {name.replace("_", "."): deque(rounds) for name, rounds in answers.items()}
        self.asked: list[str] = []

    def always(self, name: str, addresses: list[str]) -> None:
        self.answers[name] = deque([addresses])

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        self.asked.append(host)
        rounds = self.answers.get(host)
        if not rounds:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        addresses = rounds.popleft() if len(rounds) > 1 else rounds[0]
        return [ResolveResult(hostname=host, host=a, port=port, family=socket.AF_INET, proto=0, flags=0) for a in addresses]

    async def close(self) -> None:
        pass


class Stage:
    """A guarded client whose sockets record their address and refuse, or lead to `port` on loopback instead."""

    def __init__(self, policy: EgressPolicy, resolver: FakeResolver) -> None:
        self.policy, self.resolver = policy, resolver
        self.dialled: list[str] = []

    def client(self) -> httpx2.AsyncClient:
        transport = GuardedTransport(self.policy, tls=tls_context(), resolver=self.resolver, open_socket=self._record)
        return build_client(self.policy, transport=transport)

    def _record(self, info: Any) -> socket.socket:
        self.dialled.append(info[4][0])
        raise ConnectionRefusedError(111, "Connection refused")


class Seam:
    """Every guarded client of the process on a stage: names answer as we say, sockets are opened to `reachable` ports of loopback alone.

    opened: those. dialled: all other addresses that a socket was about to be opened to.
    """

    def __init__(self, patch: pytest.MonkeyPatch, **answers: Any) -> None:
        self.resolver = FakeResolver(**answers)
        self.reachable: set[int] = set()
        self.opened: list[tuple[str, int]] = []
        self.dialled: list[str] = []
        patch.setattr(transport, "ThreadedResolver", lambda: self.resolver)
        defaults = GuardedTransport.__init__.__kwdefaults__
        assert defaults is not None
        self._open = defaults["open_socket"]
        patch.setitem(defaults, "open_socket", self._opened)

    def _opened(self, info: Any) -> socket.socket:
        host, port = info[4][:2]
        if host == "127.0.0.1" and port in self.reachable:
            self.opened.append((host, port))
            opened: socket.socket = self._open(info)
            return opened
        self.dialled.append(f"{host}:{port}")
        raise ConnectionRefusedError(111, "Connection refused")
