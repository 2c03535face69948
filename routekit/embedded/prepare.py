"""What a start needs of Django, in one process that ends: migrations, the first admin, keys from the environment, the demo.

`python -m routekit.embedded.prepare`, run by the supervisor, which thereby stays without Django.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import socket
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import django
from django.core.exceptions import ImproperlyConfigured

from routekit.embedded.faults import StartError

if TYPE_CHECKING:
    from llmconfig.tenancy.models import User

ADMIN = "admin"
OLLAMA_PORT = 11434
DEMO_STARTS_WITHIN_S = 10.0


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "routekit.settings")
    try:
        django.setup()
        _reach_database()
        _reach_valkey()
        _migrate()
        _first_start()
        _connect_demo()
    except (StartError, ImproperlyConfigured) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _reach_database() -> None:
    from django.db import DatabaseError, connection  # noqa: PLC0415

    options = connection.settings_dict["OPTIONS"]
    if options.pop("pool", None):  # a pool would wait its whole timeout and then not say why
        options["connect_timeout"] = 5
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        where = "DATABASE_URL" if connection.vendor != "sqlite" else str(connection.settings_dict["NAME"])
        reason = str(error).strip().splitlines()[0]
        raise StartError(f"The database of {where} does not answer: {reason}", "Check the address, and that it runs.") from None


def _reach_valkey() -> None:
    import redis  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415

    from routekit import env, health  # noqa: PLC0415

    client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5, socket_timeout=5)
    try:
        client.ping()
        if not env.REDIS_URL_GIVEN:  # the last start's worker is gone, whatever its key says for some seconds yet
            for key in client.scan_iter(match=health.WORKERS):
                client.delete(key)
    except (redis.RedisError, ValueError) as error:
        raise StartError(f"The server of REDIS_URL does not answer: {error}", "Check the address, or unset REDIS_URL.") from None


def _migrate() -> None:
    """Only when a migration is due: the command itself costs half a second even with nothing to do."""
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415

    executor = MigrationExecutor(connection)
    due = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if due:
        _say(f"Applying {len(due)} migrations…")
        call_command("migrate", interactive=False, verbosity=0)


def _first_start() -> None:
    """Where nobody exists yet: the admin, and configs from the keys in the environment."""
    from llmconfig.tenancy.models import User  # noqa: PLC0415

    if not User.objects.exists():
        admin = _make_admin()
        _import_keys(admin)


def _make_admin() -> User:
    from django.db import transaction  # noqa: PLC0415

    from llmconfig.private_files import write_private  # noqa: PLC0415
    from llmconfig.tenancy import accounts  # noqa: PLC0415
    from routekit import env  # noqa: PLC0415

    if env.ADMIN_PASSWORD:
        _check_admin_password(env.ADMIN_PASSWORD)
    password = env.ADMIN_PASSWORD or secrets.token_urlsafe(12)
    with transaction.atomic():
        admin = accounts.create_user_with_organization(username=ADMIN, password=password, is_superuser=True)
        write_private(env.HOME / "first-admin.txt", f"Sign in: {ADMIN} / {password}\n")
    return admin


def _check_admin_password(password: str) -> None:
    """As strong as anybody's, where the network can try it."""
    from django.contrib.auth.password_validation import validate_password  # noqa: PLC0415
    from django.core.exceptions import ValidationError  # noqa: PLC0415

    from llmconfig.tenancy.models import User  # noqa: PLC0415
    from routekit import env  # noqa: PLC0415
    from routekit.embedded.ports import LOOPBACK  # noqa: PLC0415

    try:
        validate_password(password, User(username=ADMIN))
    except ValidationError as error:
        why = " ".join(error.messages)
        if env.HOST not in LOOPBACK:
            todo = "Choose another, or unset it for a random one; the network can reach this HOST."
            raise StartError(f"ROUTEKIT_ADMIN_PASSWORD is weak. {why}", todo) from None
        _say(f"Warning: ROUTEKIT_ADMIN_PASSWORD is weak. {why} It is taken because HOST is this machine alone.")


def _import_keys(admin: User) -> None:
    from django.core.management import call_command  # noqa: PLC0415

    from routekit import env  # noqa: PLC0415

    keys = env.provider_keys()
    if (ollama := keys.get("OLLAMA_HOST")) and (address := _ollama_address(ollama)):
        _allow(address)
    if keys:
        call_command("import_env_keys", user=admin.get_username())


def _allow(address: str) -> None:
    """Adds one private address to those that a base URL may name, for this process and for those to come."""
    from django.conf import settings  # noqa: PLC0415

    from routekit import env  # noqa: PLC0415
    from routekit.embedded.home import Home  # noqa: PLC0415

    home = Home(env.HOME)
    facts = home.facts()
    home.write_facts({**facts, "private_hosts": sorted({*facts["private_hosts"], address})})
    settings.PRIVATE_HOSTS = sorted({*settings.PRIVATE_HOSTS, address})
    _say(f"OLLAMA_HOST: base URLs may name {address}, even where it is private (embedded.json lists what is allowed).")


def _ollama_address(value: str) -> str:
    """`host:port` of OLLAMA_HOST, which may be a URL, `host`, `host:port` or `:port`; "" when it is none of these."""
    try:
        parts = urlsplit(value if "://" in value else f"//{value}")
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, OLLAMA_PORT)
    except ValueError:  # the import says so
        return ""
    host = parts.hostname or "127.0.0.1"
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_unspecified:  # where a server listens, not where it is reached
            host = "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _connect_demo() -> None:
    """Every organization gets the demo provider and the demo service, at the port and with the tools that it has now."""
    from django.conf import settings  # noqa: PLC0415

    from agent.services.demo import ensure_demo_service  # noqa: PLC0415
    from llmconfig.services import ensure_demo_config  # noqa: PLC0415
    from llmconfig.tenancy.models import Organization  # noqa: PLC0415

    if settings.DEMO:
        _await_demo(settings.DEMO_SERVICE_URL)
        for organization in Organization.objects.all():
            ensure_demo_config(organization)
            ensure_demo_service(organization, anew=True)


def _await_demo(url: str) -> None:
    """It starts beside this process. When it does not come, its own lines say why, and the start goes on without its tools."""
    parts = urlsplit(url)
    deadline = time.monotonic() + DEMO_STARTS_WITHIN_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection((parts.hostname, parts.port), timeout=1).close()
            return
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
