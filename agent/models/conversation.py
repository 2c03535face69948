"""Conversations and their messages."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from llmconfig.tenancy.base import TenantModel


class Conversation(TenantModel):
    """A thread of one person with an agent. It is its owner's alone.

    config and model are its target; without them the default config answers. services null means all that the owner has
    enabled, a list names them by id. history_policy: what happens to a history that is longer than its model reads.
    """

    class HistoryPolicy(models.TextChoices):
        TRIM = "trim", "Leave out the oldest"
        REFUSE = "refuse", "Refuse to answer"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=200, blank=True)
    system_prompt = models.TextField(blank=True)
    config = models.ForeignKey("llmconfig.UserLLMConfig", null=True, blank=True, on_delete=models.SET_NULL, related_name="conversations")
    model = models.CharField(max_length=200, blank=True)
    services = models.JSONField(null=True, blank=True)
    reasoning = models.JSONField(null=True, blank=True, help_text="How much the model may think. Null: its default.")
    history_policy = models.CharField(max_length=10, choices=HistoryPolicy, default=HistoryPolicy.TRIM)

    class Meta:
        ordering = ["-updated_at"]
        indexes = [models.Index(fields=["owner", "-created_at"], name="conversation_list")]

    def __str__(self) -> str:
        return self.title or str(self.id)


class Message(models.Model):
    """What was said. `parts` is the neutral JSON of agent.loop.codec; position orders a conversation and never repeats.

    after_seq: the run's last event when an answer was stored. Its `message.completed` is the next one, which a worker may be lost before.
    """

    class Role(models.TextChoices):
        USER = "user", "User"
        ASSISTANT = "assistant", "Assistant"
        TOOL = "tool", "Tool"

    class Status(models.TextChoices):
        COMPLETED = "completed", "Completed"
        PARTIAL = "partial", "Partial"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    run = models.ForeignKey("agent.Run", null=True, blank=True, on_delete=models.SET_NULL, related_name="messages")
    position = models.PositiveIntegerField()
    role = models.CharField(max_length=10, choices=Role)
    parts = models.JSONField(default=list)
    provider = models.CharField(max_length=50, blank=True)
    model = models.CharField(max_length=200, blank=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    finish_raw = models.CharField(max_length=60, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.COMPLETED)
    after_seq = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["conversation", "position"], name="message_position_once")]

    def __str__(self) -> str:
        return f"{self.role} {self.position}"
