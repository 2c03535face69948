"""Services: MCP servers as users connect them, their pinned tools, and the grants people gave."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models

from llmconfig.tenancy.base import OwnedModel
from llmconfig.tenancy.sealed import SealedField


class Service(OwnedModel):
    """One MCP server. Without an owner it is the organization's own and shared with its members."""

    class Transport(models.TextChoices):
        STREAMABLE_HTTP = "streamable-http", "Streamable HTTP"
        SSE = "sse", "SSE (older servers)"

    class Auth(models.TextChoices):
        NONE = "none", "None"
        BEARER = "bearer", "Bearer token"

    class Status(models.TextChoices):
        UNTESTED = "untested", "Untested"
        CONNECTED = "connected", "Connected"
        UNREACHABLE = "unreachable", "Not answering"
        UNAUTHORIZED = "unauthorized", "Sign-in refused"
        ERROR = "error", "Error"

    display_name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=32, help_text="Names the service in tool names: slug__tool. Holds no double underscore.")
    transport = models.CharField(max_length=20, choices=Transport, default=Transport.STREAMABLE_HTTP)
    url = models.URLField(max_length=500, blank=True)
    auth_type = models.CharField(max_length=10, choices=Auth, default=Auth.NONE)
    token = SealedField()
    secret_version = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=20, choices=Status, default=Status.UNTESTED)
    status_detail = models.CharField(max_length=500, blank=True)
    is_enabled = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False)
    last_tested_at = models.DateTimeField(null=True, blank=True)
    pinned_at = models.DateTimeField(null=True, blank=True, help_text="When its tools were first seen; what comes later needs approval.")

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "slug"], name="service_slug_once_per_organization"),
            models.UniqueConstraint(fields=["organization"], condition=models.Q(is_demo=True), name="one_demo_service_per_organization"),
        ]

    def __str__(self) -> str:
        return self.display_name


class ServiceTool(models.Model):
    """A tool as its service defined it when it was last approved. `pending` holds a newer definition that nobody approved yet."""

    class Policy(models.TextChoices):
        AUTO = "auto", "Auto"
        ASK = "ask", "Ask"
        DENY = "deny", "Deny"

    class State(models.TextChoices):
        APPROVED = "approved", "Approved"
        NEW = "new", "New"
        CHANGED = "changed", "Changed"

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="tools")
    name = models.CharField(max_length=128)
    position = models.PositiveIntegerField(default=0)
    description = models.TextField(blank=True)
    input_schema = models.JSONField(default=dict)
    annotations = models.JSONField(default=dict)
    definition_hash = models.CharField(max_length=64)
    pending = models.JSONField(null=True, blank=True)
    read_only = models.BooleanField(default=False, help_text="Classified so by whoever connected the service, or an admin.")
    policy = models.CharField(max_length=4, choices=Policy, default=Policy.ASK)
    state = models.CharField(max_length=8, choices=State, default=State.APPROVED)

    class Meta:
        ordering = ["position", "name"]
        constraints = [models.UniqueConstraint(fields=["service", "name"], name="tool_once_per_service")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_declared_writing(self) -> bool:
        """The service itself says that the tool changes something; that can only tighten what people chose."""
        return self.annotations.get("destructiveHint") is True or self.annotations.get("readOnlyHint") is False

    @property
    def counts_as_read_only(self) -> bool:
        return self.read_only and not self.is_declared_writing


class ToolGrant(models.Model):
    """Someone's standing approval of one tool definition: for one run, or (without a run) for good."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tool_grants")
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="grants")
    tool_name = models.CharField(max_length=128)
    definition_hash = models.CharField(max_length=64)
    run = models.ForeignKey("agent.Run", null=True, blank=True, on_delete=models.CASCADE, related_name="grants")
    created_at = models.DateTimeField(auto_now_add=True)

    if TYPE_CHECKING:
        service_id: Any
        run_id: Any

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.tool_name} ({'run' if self.run_id else 'always'})"
