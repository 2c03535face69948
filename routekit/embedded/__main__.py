"""`make up`, once the dependencies are there: prepares the home, then supervises."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from routekit.embedded import leftovers, ports
from routekit.embedded.console import Console
from routekit.embedded.faults import StartError
from routekit.embedded.home import Home

if TYPE_CHECKING:
    from routekit.embedded.home import Facts

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> int:
    console = Console()
    # routekit.env reads every other setting, but it does not load before the home has its keys.
    home = Home(Path(os.environ.get("ROUTEKIT_HOME") or ROOT / ".routekit").absolute())
    try:
        home.open()
        leftovers.end(home)
        home.write_facts(_facts(home))
        _supervise(home, console)
    except StartError as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    except ImproperlyConfigured as error:
        sys.stderr.write(f"\nroutekit cannot start: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"\n{error.filename or home.path}: {error.strerror}.\nMend this and run `make up` again.\n")
        return 1
    return 0


def _facts(home: Home) -> Facts:
    """The demo service keeps its port; when another program took it, it moves, and the permission to call it with it."""
    facts = home.facts()
    before = urlsplit(facts["demo_service_url"])
    port = ports.free(before.port)
    private = [host for host in facts["private_hosts"] if host != before.netloc]
    return {"demo_service_url": f"http://127.0.0.1:{port}/mcp", "private_hosts": [f"127.0.0.1:{port}", *private]}


def _supervise(home: Home, console: Console) -> None:
    from routekit import env  # noqa: PLC0415  # needs the home
    from routekit.embedded import supervisor  # noqa: PLC0415  # needs routekit.env

    if not env.EMBEDDED:
        raise StartError(
            "SECRET_KEY or KEK is set, which means a deployment, not the embedded mode of `make up`.",
            "Unset both (and their _FILE forms), or start the services of a deployment as the documentation says.",
        )
    ports.claim(env.HOST, env.PORT)
    supervisor.warn_about_host(console)
    asyncio.run(supervisor.Supervisor(home, console).run())


if __name__ == "__main__":
    sys.exit(main())
