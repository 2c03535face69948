"""Runs: one message answered. A run has steps, a step has attempts (the usage ledger) and tool calls."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models

from agent.models.conversation import Conversation
from agent.models.service import Service
from llmconfig.tenancy.base import TenantModel

if TYPE_CHECKING:
    from uuid import UUID


class Run(TenantModel):
    """A run is claimed by a conditional UPDATE that raises `fence`; every later write of its worker carries that fence.

    event_seq is the high-water mark of the event log as of the last durable fact, so that a lost log never reuses a seq.
    conversation is null once that was deleted, and user once they were: what was said is gone, what it cost stays in the ledger.
    token: the id of the API token it was started with, which may be gone by now; null for a session.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        WAITING_APPROVAL = "waiting_approval", "Waiting for a person"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    ACTIVE = (Status.QUEUED, Status.RUNNING, Status.WAITING_APPROVAL)

    conversation = models.ForeignKey(Conversation, null=True, on_delete=models.SET_NULL, related_name="runs")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="runs")
    token = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    finish_reason = models.CharField(max_length=20, blank=True)
    error_kind = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True)
    config = models.ForeignKey("llmconfig.UserLLMConfig", null=True, on_delete=models.SET_NULL, related_name="runs")
    model = models.CharField(max_length=200)
    output_schema = models.JSONField(null=True, blank=True, help_text="JSON Schema of an object that the final answer shall be.")
    reasoning = models.JSONField(null=True, blank=True, help_text="How much the model may think. Null: its default.")
    fence = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    nudged_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    event_seq = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    if TYPE_CHECKING:
        conversation_id: Any
        user_id: UUID | None
        config_id: Any

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["status", "lease_expires_at"], name="run_sweep")]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"],
                condition=models.Q(status__in=["queued", "running", "waiting_approval"]),
                name="one_active_run_per_conversation",
            )
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.status})"


class Step(models.Model):
    """One turn of the loop: a model call and the tool calls it asked for. A finished step is never run again."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    index = models.PositiveIntegerField()
    first_seq = models.PositiveIntegerField(default=0)
    is_finished = models.BooleanField(default=False)

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="step_once_per_run")]

    def __str__(self) -> str:
        return f"step {self.index}"


class Attempt(models.Model):
    """One deployment tried once: a row of the usage ledger. Tokens lie in disjoint buckets; null is unknown, never 0."""

    class Status(models.TextChoices):
        DISPATCHED = "dispatched", "Dispatched"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        LOST = "lost", "Lost"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="attempts")
    config = models.ForeignKey("llmconfig.UserLLMConfig", null=True, on_delete=models.SET_NULL, related_name="attempts")
    provider = models.CharField(max_length=50)
    model = models.CharField(max_length=200)
    status = models.CharField(max_length=12, choices=Status, default=Status.DISPATCHED)
    error_kind = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True)
    latency_ms = models.PositiveIntegerField(null=True)
    ttft_ms = models.PositiveIntegerField(null=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    cache_read_tokens = models.PositiveIntegerField(null=True)
    cache_write_tokens = models.PositiveIntegerField(null=True)
    cache_write_1h_tokens = models.PositiveIntegerField(null=True)
    reasoning_tokens = models.PositiveIntegerField(null=True)
    cost = models.DecimalField(max_digits=20, decimal_places=10, null=True)
    currency = models.CharField(max_length=3, default="USD")
    evidence = models.CharField(max_length=10, default="unknown")
    price_version = models.CharField(max_length=40, blank=True)
    rate_limits = models.JSONField(null=True, help_text="What the answer's headers said is left: requests and tokens.")
    created_at = models.DateTimeField()

    if TYPE_CHECKING:
        config_id: Any

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.provider} {self.model} ({self.status})"


class ToolCall(models.Model):
    """A call a model asked for. waiting → approved | denied | expired; requested or approved → dispatched → finished | unknown."""

    class Status(models.TextChoices):
        REQUESTED = "requested", "Requested"
        WAITING = "waiting", "Waiting for approval"
        APPROVED = "approved", "Approved"
        DENIED = "denied", "Denied"
        EXPIRED = "expired", "Expired"
        REFUSED = "refused", "Refused"
        DISPATCHED = "dispatched", "Dispatched"
        FINISHED = "finished", "Finished"
        UNKNOWN = "unknown", "Outcome unknown"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="tool_calls")
    position = models.PositiveIntegerField(default=0)
    service = models.ForeignKey(Service, null=True, on_delete=models.SET_NULL, related_name="tool_calls")
    service_slug = models.CharField(max_length=32, blank=True)
    name = models.CharField(max_length=128)
    arguments = models.JSONField(default=dict)
    arguments_hash = models.CharField(max_length=64)
    definition_hash = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.REQUESTED)
    is_error = models.BooleanField(null=True)
    result = models.JSONField(null=True)
    latency_ms = models.PositiveIntegerField(null=True)
    expires_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="decided_calls")
    is_decision_announced = models.BooleanField(default=True)

    if TYPE_CHECKING:
        service_id: Any

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.service_slug}__{self.name} ({self.status})"
