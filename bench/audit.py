"""What an audit event costs whoever records it, and verifying one: on SQLite in a file, or on DATABASE_URL."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from statistics import median
from typing import TYPE_CHECKING

from bench.table import Row, table

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
EVENTS = 400


def measure() -> None:
    from django.core.management import call_command
    from django.db import connection, transaction

    call_command("migrate", verbosity=0)
    from llmconfig.models import Organization
    from llmconfig.services.audit_verify import verify_chain
    from llmconfig.tenancy.audit import Actor, record

    organization = Organization.objects.create(name="Bench", slug=f"bench-{secrets.token_hex(4)}")
    actor, about, details = Actor("alice", ip="203.0.113.7"), ("config", "7", "OpenAI"), {"changes": {"name": ["a", "b"]}}

    def one() -> None:
        record("config.changed", actor=actor, organization=organization.pk, object=about, details=details)

    def update() -> None:
        Organization.objects.filter(pk=organization.pk).update(name="Bench")

    def committed(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(EVENTS):
                with transaction.atomic():
                    work()

        return run

    def within() -> None:
        with transaction.atomic():
            for _ in range(EVENTS):
                one()

    one()
    rows = [
        Row("a transaction with one UPDATE", _each(committed(update))),
        Row("record(), alone in its transaction", _each(committed(one))),
        Row("record(), within a transaction", _each(within)),
    ]
    checked = 1 + 2 * ROUNDS * EVENTS
    began = time.perf_counter()
    assert verify_chain(organization.pk).intact is True
    rows.append(Row(f"verifying one, of {checked:,}", (time.perf_counter() - began) / checked * 1e6))
    table(f"An audit event on {connection.vendor}, µs; medians of {ROUNDS} rounds of {EVENTS}", rows)


def _each(work: Callable[[], None]) -> float:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) / EVENTS * 1e6)
    return median(took)


def main() -> None:
    home = tempfile.mkdtemp(prefix="routekit-bench-")
    os.environ.update(SECRET_KEY=secrets.token_hex(32), KEK=secrets.token_hex(32), ROUTEKIT_HOME=home, ROUTEKIT_HTTPS="false")
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{home}/bench.sqlite3")
    os.environ["DJANGO_SETTINGS_MODULE"] = "routekit.settings"
    import django

    django.setup()
    try:
        measure()
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
