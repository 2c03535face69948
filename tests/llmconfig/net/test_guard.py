"""The last line before a dial: the socket factory judges the address even when no resolver or parser did."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from llmconfig.net import EgressPolicy
from llmconfig.net.guard import DialRefused, guarded_socket_factory, open_socket, target

POLICY = EgressPolicy(frozenset({"gpu-02:11434"}))


def dial(address: str, host: str = "", port: int = 0) -> list[str]:
    opened: list[str] = []

    def record(info: Any) -> Any:
        opened.append(info[4][0])

    token = target.set((host, port)) if host else None
    try:
        guarded_socket_factory(POLICY, record)((socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)))
    finally:
        if token is not None:
            target.reset(token)
    return opened


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.4.12", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1", "2002:a00:1::"])
def test_without_a_known_target_nothing_private_is_dialled(address: str) -> None:
    with pytest.raises(DialRefused):
        dial(address)


def test_the_listed_target_may_be_private_and_no_other() -> None:
    assert dial("10.0.4.12", "gpu-02", 11434) == ["10.0.4.12"]
    for host, port in (("gpu-02", 22), ("gpu-03", 11434)):
        with pytest.raises(DialRefused, match=f"add {host}:{port} to ROUTEKIT_PRIVATE_HOSTS"):
            dial("10.0.4.12", host, port)
    with pytest.raises(DialRefused, match="never connects"):
        dial("169.254.169.254", "gpu-02", 11434)


def test_public_addresses_are_dialled() -> None:
    assert dial("93.184.216.34") == ["93.184.216.34"]


def test_sockets_are_kept_alive() -> None:
    with open_socket((socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("192.0.2.1", 80))) as opened:
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
