"""What every test stands on: settings from here alone, a real Valkey, SQLite or a real Postgres, no network beyond this machine.

`TEST_DATABASE=postgres` runs only what touches the database, on Postgres; `make test` runs both.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import Postgres, Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

ON_POSTGRES = os.environ.get("TEST_DATABASE") == "postgres"
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "django_db_serialized_rollback", "live_server"}
FOLDER = Path(tempfile.mkdtemp(prefix="routekit-test-"))

_valkey = Valkey()
_postgres: Postgres | None = None

# Settings are read when Django is set up, which is after this module and before the first test module.
os.environ.update(
    DJANGO_SETTINGS_MODULE="routekit.settings",
    SECRET_KEY="test-secret-key-0123456789-abcdefghijkl",
    KEK="test-key-encryption-key-0123456789-abcdef",
    DATABASE_URL=f"sqlite:///{FOLDER}/main.sqlite3",
    REDIS_URL=_valkey.url,
    ROUTEKIT_HOME=str(FOLDER),
    ROUTEKIT_HTTPS="false",
    ROUTEKIT_FAILED_TOKENS="1000000",  # every test comes from one address
    ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
)
UNSET = (
    "ROUTEKIT_DEMO",
    "ROUTEKIT_PRIVATE_HOSTS",
    "ROUTEKIT_ADMIN_PASSWORD",
    "ROUTEKIT_SIGNUP",
    "ROUTEKIT_ORIGIN",
    "ROUTEKIT_OIDC_ISSUER",
    "ROUTEKIT_SAML_ENTITY_ID",
    "ROUTEKIT_THROTTLE",
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "OLLAMA_HOST",
)
for name in UNSET:
    os.environ.pop(name, None)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Each process has its Valkey; the first one starts the Postgres that all share."""
    global _postgres
    is_worker = hasattr(config, "workerinput")
    if ON_POSTGRES and not is_worker:
        _postgres = Postgres()
        _postgres.run()
        os.environ["TEST_POSTGRES_URL"] = _postgres.url
    if ON_POSTGRES:
        os.environ["DATABASE_URL"] = os.environ["TEST_POSTGRES_URL"]
    if is_worker or not config.getoption("numprocesses", None):
        _valkey.run()

    import django.conf

    assert django.conf.settings.DATABASES  # reads the settings now; pytest-django then sets Django up
    if not is_worker and config.getoption("numprocesses", None):
        # Workers inherit this environment; named there, the settings would be read before a worker has set its own values.
        del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_unconfigure() -> None:
    _valkey.stop()
    if _postgres is not None:
        _postgres.stop()
    shutil.rmtree(FOLDER, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not ON_POSTGRES:
        return
    chosen = [item for item in items if _touches_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen


def _touches_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return item.get_closest_marker("django_db") is not None or not DATABASE_FIXTURES.isdisjoint(fixtures)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """SQLite in a file, as in use: an in-memory database would hide its locks. Postgres without the pool, which outlives databases."""
    from django.conf import settings
    from django.db import connections

    database = connections["default"].settings_dict
    if not ON_POSTGRES:
        database["TEST"]["NAME"] = str(FOLDER / "test.sqlite3")
    assert settings.DATABASES["default"] is database
    database["OPTIONS"].pop("pool", None)


@pytest.fixture(scope="session")
def _valkey_client() -> Iterator[Any]:
    import redis

    client = redis.Redis.from_url(_valkey.url)
    yield client
    client.close()


@pytest.fixture
def valkey(_valkey_client: Any) -> str:
    """The URL of a real, empty Valkey, which is also settings.REDIS_URL."""
    _valkey_client.flushall()
    return _valkey.url


@pytest.fixture(scope="session", autouse=True)
def _this_machine_only() -> Iterator[None]:
    """A test that would reach another machine fails instead."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _refuse_remote(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_remote(self, address)
        return connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        yield


def _refuse_remote(connecting: socket.socket, address: Any) -> None:
    if connecting.family not in (socket.AF_INET, socket.AF_INET6) or address[0] == "localhost":
        return
    if not ipaddress.ip_address(address[0].partition("%")[0]).is_loopback:
        raise RuntimeError(f"A test tried to connect to {address[0]}:{address[1]}; only this machine is allowed.")


@pytest.fixture(scope="session", autouse=True)
def _flush_may_empty_the_audit_trail() -> Iterator[None]:
    """Its triggers refuse what a test with real transactions does in the end: empty every table."""
    from django.db.backends.base.operations import BaseDatabaseOperations

    execute = BaseDatabaseOperations.execute_sql_flush

    def flush(self: Any, sql_list: Any) -> None:
        from llmconfig.tenancy.audit import triggers

        if self.connection.vendor == "postgresql":
            with self.connection.cursor() as cursor:
                cursor.execute("SET session_replication_role = replica")
                execute(self, sql_list)
                cursor.execute("SET session_replication_role = origin")
            return
        with self.connection.schema_editor() as editor:
            triggers.take_down(None, editor)
        execute(self, sql_list)
        with self.connection.schema_editor() as editor:
            triggers.set_up(None, editor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", flush)
        yield
