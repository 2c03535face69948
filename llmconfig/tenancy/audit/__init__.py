"""The audit trail: what was done, by whom, to what, in a chain that shows every later edit. `record` is the way in."""

from llmconfig.tenancy.audit.actors import SYSTEM, Actor
from llmconfig.tenancy.audit.models import INSTALLATION, AuditEvent, AuditHead, AuditKey, AuditSegment, Outcome
from llmconfig.tenancy.audit.record import record

__all__ = [
    "INSTALLATION",
    "SYSTEM",
    "Actor",
    "AuditEvent",
    "AuditHead",
    "AuditKey",
    "AuditSegment",
    "Outcome",
    "record",
]
