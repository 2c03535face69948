"""Starts the services in order, says when everything answers, keeps them running, and stops them in order."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from routekit import env
from routekit.embedded import probe, services
from routekit.embedded.child import Child, Command
from routekit.embedded.faults import StartError
from routekit.embedded.ports import LOOPBACK
from routekit.embedded.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from routekit.embedded.console import Console
    from routekit.embedded.home import Home

POLL_S = 0.1
REMIND_AFTER_S = 30.0
GIVE_UP_AFTER = 5  # deaths of one service before everything was ready once
GRACE_S = {"web": 3.5, "worker": 3.0, "beat": 1.0, "demo": 1.0, "valkey": 1.5}  # and the order in which they are stopped


class Supervisor:
    """One run of `make up`, from the first child to the last."""

    def __init__(self, home: Home, console: Console) -> None:
        self._home = home
        self._console = console
        self._children: dict[str, Child] = {}
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Returns when it was asked to stop and all children have ended. Raises StartError if the services do not come up."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        stopped = asyncio.create_task(self._stop.wait())
        started = asyncio.create_task(self._start())
        try:
            await asyncio.wait({stopped, started}, return_when=asyncio.FIRST_COMPLETED)
            if started.done():
                started.result()
            await stopped
        finally:
            started.cancel()
            await self._stop_children()

    async def _start(self) -> None:
        began = time.monotonic()
        if not env.REDIS_URL_GIVEN:
            await self._start_valkey()
        commands = services.commands(self._home, self._home.facts()["demo_service_url"])
        if env.DEMO:  # needs no database, and the preparation asks it for its tools
            self._start_child(commands.pop(0))
        await self._prepare()
        for command in commands:
            self._start_child(command)
        await self._until(self._all_answer, "the services")
        self._console.say(f"Everything answers after {time.monotonic() - began:.1f} s. Ctrl-C stops it.")
        self._console.say(f"Ready: http://{_for_url(env.HOST)}:{env.PORT}")
        self._announce_admin()

    def _announce_admin(self) -> None:
        """Once: at the first start that came this far."""
        admin, announced = self._home.path / "first-admin.txt", self._home.run / "announced"
        if admin.exists() and not announced.exists():
            self._console.say(admin.read_text().strip())
            announced.touch()

    async def _start_valkey(self) -> None:
        valkey = Valkey(self._home)
        valkey.write()
        # "overcommit": advice on a system setting that is root's to make and matters for snapshots, which are off.
        self._start_child(Command("valkey", valkey.argv(), services.environment(self._home), self._home.path, muted="overcommit_memory"))
        await self._until(valkey.answers, "Valkey")

    def _start_child(self, command: Command) -> None:
        child = self._children[command.name] = Child(command, self._home, self._console)
        child.start()

    async def _prepare(self) -> None:
        """Database, first admin, keys from the environment: one Django process that ends (prepare.py)."""
        self._console.say("Preparing the database…")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "routekit.embedded.prepare"),
            stdin=asyncio.subprocess.DEVNULL,
            env={**services.environment(self._home), "ROUTEKIT_ADMIN_PASSWORD": env.ADMIN_PASSWORD},
            cwd=env.BASE_DIR,
            start_new_session=True,
        )
        try:
            if await process.wait() != 0:
                raise StartError("The start could not be prepared; the lines above say why.", "Mend it and run `make up` again.")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Polls until it holds. Raises StartError when a child keeps dying meanwhile."""
        remind_at = time.monotonic() + REMIND_AFTER_S
        while not await holds():
            for child in self._children.values():
                if child.failures >= GIVE_UP_AFTER:
                    raise StartError(f"{child.name} does not start; its lines above say why.", "Mend it and run `make up` again.")
            if time.monotonic() > remind_at:
                self._console.say(f"Still waiting for {what}…{await self._missing()}")
                remind_at += REMIND_AFTER_S
            await asyncio.sleep(POLL_S)

    async def _all_answer(self) -> bool:
        status, _ = await self._ask_web()
        if status != 200:
            return False
        if not env.DEMO:
            return True
        port = urlsplit(env.DEMO_SERVICE_URL).port or 80
        status, _ = await probe.get("127.0.0.1", port, "/healthz", host_header=f"127.0.0.1:{port}")
        return status == 200

    async def _ask_web(self) -> tuple[int, str]:
        named = [name.lstrip(".") for name in env.ALLOWED_HOSTS if name != "*"]
        return await probe.get(_reachable(env.HOST), env.PORT, "/readyz", host_header=named[0] if named else "localhost")

    async def _missing(self) -> str:
        status, body = await self._ask_web()
        return f" /readyz says {status}: {body[:300]}" if status else " web does not answer yet"

    async def _stop_children(self) -> None:
        if self._children:
            self._console.say("Stopping…")
        for name, grace_s in GRACE_S.items():
            if name in self._children:
                await self._children[name].stop(grace_s)
        self._console.say("Stopped.")


def warn_about_host(console: Console) -> None:
    if env.HOST not in LOOPBACK:
        console.say(
            f"Warning: HOST={env.HOST} offers routekit to the network over plain HTTP: passwords and keys can be read on the way. "
            "Put a TLS proxy in front, and name the hosts that browsers use in ALLOWED_HOSTS."
        )


def _reachable(host: str) -> str:
    """Where to ask a server that listens on `host`: every address includes loopback."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "::1" if address.version == 6 else "127.0.0.1"


def _for_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
