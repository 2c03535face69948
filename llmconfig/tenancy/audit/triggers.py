"""The database's own refusal of any change to an audit event, for the migration that sets it up.

An event can be added, and removed only once a signed segment stands for it. Whoever owns the database can drop a trigger; then
the chain and the heads written elsewhere tell what was done (`manage.py verify_audit`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_EVENT: Final = "llmconfig_auditevent"
_SEGMENT: Final = "llmconfig_auditsegment"
_CLOSED: Final = "EXISTS (SELECT 1 FROM llmconfig_auditsegment s WHERE s.chain = OLD.chain AND OLD.seq BETWEEN s.first_seq AND s.last_seq)"
_WHY: Final = "audit events are append-only"

# SQLite's INSERT OR REPLACE removes the old row without a delete trigger: hence the two on INSERT.
_SQLITE: Final = (
    f"CREATE TRIGGER audit_event_update BEFORE UPDATE ON {_EVENT} BEGIN SELECT RAISE(ABORT, '{_WHY}'); END",
    f"CREATE TRIGGER audit_event_delete BEFORE DELETE ON {_EVENT} WHEN NOT {_CLOSED} BEGIN SELECT RAISE(ABORT, '{_WHY}'); END",
    "CREATE TRIGGER audit_event_insert BEFORE INSERT ON llmconfig_auditevent"
    " WHEN EXISTS (SELECT 1 FROM llmconfig_auditevent e WHERE e.id = NEW.id OR (e.chain = NEW.chain AND e.seq = NEW.seq))"
    " BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END",
    f"CREATE TRIGGER audit_segment_update BEFORE UPDATE ON {_SEGMENT} BEGIN SELECT RAISE(ABORT, '{_WHY}'); END",
    f"CREATE TRIGGER audit_segment_delete BEFORE DELETE ON {_SEGMENT} BEGIN SELECT RAISE(ABORT, '{_WHY}'); END",
    "CREATE TRIGGER audit_segment_insert BEFORE INSERT ON llmconfig_auditsegment"
    " WHEN EXISTS (SELECT 1 FROM llmconfig_auditsegment e WHERE e.id = NEW.id OR (e.chain = NEW.chain AND e.first_seq = NEW.first_seq))"
    " BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END",
)
_NAMES: Final = tuple(f"audit_{table}_{event}" for table in ("event", "segment") for event in ("update", "delete", "insert"))
_POSTGRES: Final = (
    f"CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{_WHY}'; END $$",
    f"CREATE TRIGGER audit_event_update BEFORE UPDATE ON {_EVENT} FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE FUNCTION audit_refuse_open() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    f" IF NOT {_CLOSED} THEN RAISE EXCEPTION '{_WHY}'; END IF; RETURN OLD; END $$",
    f"CREATE TRIGGER audit_event_delete BEFORE DELETE ON {_EVENT} FOR EACH ROW EXECUTE FUNCTION audit_refuse_open()",
    f"CREATE TRIGGER audit_event_truncate BEFORE TRUNCATE ON {_EVENT} FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
    f"CREATE TRIGGER audit_segment_change BEFORE UPDATE OR DELETE ON {_SEGMENT} FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    f"CREATE TRIGGER audit_segment_truncate BEFORE TRUNCATE ON {_SEGMENT} FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
)
_POSTGRES_UNDO: Final = (
    f"DROP TRIGGER audit_event_update ON {_EVENT}",
    f"DROP TRIGGER audit_event_delete ON {_EVENT}",
    f"DROP TRIGGER audit_event_truncate ON {_EVENT}",
    f"DROP TRIGGER audit_segment_change ON {_SEGMENT}",
    f"DROP TRIGGER audit_segment_truncate ON {_SEGMENT}",
    "DROP FUNCTION audit_refuse()",
    "DROP FUNCTION audit_refuse_open()",
)


def set_up(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    for statement in _SQLITE if editor.connection.vendor == "sqlite" else _POSTGRES:
        editor.execute(statement, params=None)


def take_down(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    for statement in [f"DROP TRIGGER {name}" for name in _NAMES] if editor.connection.vendor == "sqlite" else _POSTGRES_UNDO:
        editor.execute(statement, params=None)
