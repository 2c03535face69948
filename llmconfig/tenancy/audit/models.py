"""Rows of the audit trail. Triggers (triggers.py) hold that events are only ever added: a migration that alters these tables must set
them up again, since SQLite makes the table anew.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.db import models

INSTALLATION: Final = uuid.UUID(int=0)
"""The chain of what belongs to no organization: root keys, organizations that come and go."""


class Outcome(models.TextChoices):
    ALLOWED = "allowed"
    REFUSED = "refused"
    FAILED = "failed"


class AuditEvent(models.Model):
    """One thing that happened. It names no row by a foreign key: it outlives the organization, the person and the object.

    chain: the organization's id, or INSTALLATION. seq: 1, 2, 3 … in its chain. object_type and object_id: `config` and its id, for
    instance; object_label: its name as it was then. details: JSON without floats. previous and hash: MACs, of the event before and of
    this one; key_id: the AuditKey they were made with.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    chain = models.UUIDField()
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    actor_id = models.UUIDField(null=True)
    actor = models.CharField(max_length=150)
    token = models.CharField(max_length=120, blank=True)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=40, blank=True)
    object_id = models.CharField(max_length=200, blank=True)
    object_label = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome)
    ip = models.CharField(max_length=45, blank=True)
    details = models.JSONField(default=dict)
    key_id = models.CharField(max_length=16)
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-seq"]
        constraints = [models.UniqueConstraint(fields=["chain", "seq"], name="audit_seq_once")]
        indexes = [
            models.Index(fields=["chain", "action", "-seq"], name="audit_by_action"),
            models.Index(fields=["chain", "actor_id", "-seq"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"

    def content(self) -> dict[str, Any]:
        """What the MAC covers, `previous` aside."""
        return {
            "id": str(self.id),
            "chain": str(self.chain),
            "seq": self.seq,
            "at": self.at.isoformat(timespec="microseconds"),
            "actor_id": str(self.actor_id) if self.actor_id else None,
            "actor": self.actor,
            "token": self.token,
            "action": self.action,
            "object_type": self.object_type,
            "object_id": self.object_id,
            "object_label": self.object_label,
            "outcome": self.outcome,
            "ip": self.ip,
            "details": self.details,
            "key_id": self.key_id,
        }


class AuditHead(models.Model):
    """The end of a chain: locking it puts those who record into a row."""

    chain = models.UUIDField(primary_key=True)
    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.chain} at {self.seq}"


class AuditSegment(models.Model):
    """A stretch of a chain whose events were removed after their time: what it was, signed, so that the chain goes on over the gap.

    first_previous: what its first event followed; last_hash: what the first event after it follows.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    chain = models.UUIDField()
    first_seq = models.PositiveBigIntegerField()
    last_seq = models.PositiveBigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    first_previous = models.CharField(max_length=64)
    last_hash = models.CharField(max_length=64)
    closed_at = models.DateTimeField()
    key_id = models.CharField(max_length=16)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["first_seq"]
        constraints = [models.UniqueConstraint(fields=["chain", "first_seq"], name="audit_segment_once")]

    def __str__(self) -> str:
        return f"{self.first_seq} to {self.last_seq}"


class AuditKey(models.Model):
    """The root of the chains' keys, wrapped by the KEK. It outlives every organization; a new one begins where no KEK opens the last."""

    key_id = models.CharField(primary_key=True, max_length=16)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key_id
