"""Which ports are free, and who holds one that is not."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from pathlib import Path

from routekit.embedded.faults import StartError

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
TCP_LISTEN = "0A"  # include/net/tcp_states.h


def claim(host: str, port: int) -> None:
    """Raises StartError if a server cannot listen there, naming the process in its way where the system tells."""
    if not 0 < port < 65536:
        raise StartError(f"PORT is {port}, which is no port.", "Choose one from 1024 to 65535: `PORT=8001 make up`.")
    try:
        listener = _listen(host, port)
    except OSError as error:
        raise _cannot_listen(host, port, error) from None
    listener.close()


def free(preferred: int | None = None) -> int:
    """The preferred loopback port if it is free, otherwise one that the system chooses."""
    try:
        listener = _listen("127.0.0.1", preferred or 0)
    except OSError:
        listener = _listen("127.0.0.1", 0)
    with listener:
        return int(listener.getsockname()[1])


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1)
    except OSError:
        listener.close()
        raise
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> StartError:
    if error.errno == errno.EADDRINUSE:
        return StartError(f"Port {port} is in use{_holder(port)}.", f"Stop that, or choose another port: `PORT={port + 1} make up`.")
    if error.errno == errno.EACCES:
        return StartError(f"Port {port} is reserved for the system's administrator.", "Choose one above 1023: `PORT=8001 make up`.")
    return StartError(f"HOST is {host}, where this machine cannot listen ({error.strerror}).", "Leave HOST out, or name an own address.")


def _holder(port: int) -> str:
    """` by process 4711 (python3)`, or nothing where the system does not tell (another user's process)."""
    found = _holder_in_proc(port) if Path("/proc/net/tcp").exists() else _holder_by_lsof(port)
    return f" by process {found[0]} ({found[1]})" if found else ""


def _holder_in_proc(port: int) -> tuple[str, str] | None:
    """Linux: the listening socket's inode from /proc/net, then the process that holds it."""
    sockets = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in _read(Path(table)).splitlines()[1:]:
            columns = row.split()
            if columns[3] == TCP_LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{columns[9]}]")
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(descriptor) in sockets:
                process = descriptor.parent.parent
                return process.name, _read(process / "comm").strip()
        except OSError:
            continue
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _holder_by_lsof(port: int) -> tuple[str, str] | None:
    """macOS, which always has lsof; `-Fpc` prints the pid after a p and the command after a c, a line each."""
    command = ["/usr/sbin/lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout  # noqa: S603  # a fixed program
    except (OSError, subprocess.TimeoutExpired):
        return None
    facts = {line[:1]: line[1:] for line in reversed(said.splitlines())}
    return (facts["p"], facts.get("c", "unknown")) if "p" in facts else None
