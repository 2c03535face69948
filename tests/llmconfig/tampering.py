"""The owner of the database, who can take the triggers away, and what such a one does to an audit trail."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import connection

from llmconfig.tenancy.audit import Actor, AuditEvent, record, triggers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.llmconfig.people import Person

ON_SQLITE = triggers._SQLITE


@contextmanager
def without_triggers() -> Iterator[None]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL session_replication_role = replica")
            yield
            cursor.execute("SET LOCAL session_replication_role = origin")
        else:
            for name in triggers._NAMES:
                cursor.execute(f"DROP TRIGGER {name}")
            yield
            for statement in ON_SQLITE:
                cursor.execute(statement)


def some_events(person: Person, number: int = 5) -> list[AuditEvent]:
    for each in range(number):
        record("config.changed", actor=Actor.of(person.caller), organization=person.organization.pk, details={"number": each})
    return list(AuditEvent.objects.filter(chain=person.organization.pk).order_by("seq"))


def tamper(event: AuditEvent, **values: Any) -> None:
    with without_triggers():
        AuditEvent.objects.filter(pk=event.pk).update(**values)


def remove(*events: AuditEvent) -> None:
    with without_triggers():
        AuditEvent.objects.filter(pk__in=[event.pk for event in events]).delete()
