"""The commands behind `make up`: web, worker, beat and the demo service, each with this Python."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from routekit import env
from routekit.embedded.child import Command

if TYPE_CHECKING:
    from routekit.embedded.home import Home

# Celery warns root about a task format that routekit does not accept.
NO_ROOT_WARNING = "ignore:You're running the worker with superuser privileges"
# Django warns that a static file is read whole before it is sent; ours are small.
NO_STATIC_WARNING = "ignore:StreamingHttpResponse must consume synchronous iterators"


def environment(home: Home) -> dict[str, str]:
    """What children see: this environment without the first password, and the home by its absolute path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROUTEKIT_ADMIN_PASSWORD")}
    return {**kept, "ROUTEKIT_HOME": str(home.path), "PYTHONUNBUFFERED": "1"}


def commands(home: Home, demo_service_url: str) -> list[Command]:
    """In the order in which they are started: the demo service, if there is one, is first."""
    celery = ("-m", "celery", "--quiet", "-A", "routekit")
    services: dict[str, tuple[str, ...]] = {
        "demo": ("-m", "agent.mcp.demo", "--host", "127.0.0.1", "--port", str(urlsplit(demo_service_url).port)),
        "web": ("-W", NO_STATIC_WARNING, "-m", "uvicorn", "routekit.asgi:application", "--host", env.HOST, "--port", str(env.PORT)),
        "worker": ("-W", NO_ROOT_WARNING, *celery, "worker", "-P", "threads", "-c", str(env.WORKER_SLOTS)),
        "beat": (*celery, "beat", "--loglevel", "WARNING"),
    }
    services["demo"] += ("--data", str(home.path / "demo.sqlite3"))
    services["web"] += ("--loop", "uvloop", "--http", "httptools", "--ws", "none", "--lifespan", "off")
    services["web"] += ("--timeout-graceful-shutdown", "3", "--no-access-log", "--no-server-header", "--log-level", "warning")
    services["worker"] += ("--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel", env.LOG_LEVEL)
    if not env.DEMO:
        del services["demo"]
    seen = environment(home)
    return [Command(name, (sys.executable, *argv), seen, env.BASE_DIR) for name, argv in services.items()]
