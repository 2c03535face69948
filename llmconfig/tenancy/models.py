"""People and organizations, the keys and tokens that belong to them, and the memory of requests sent twice."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from knox.models import AbstractAuthToken

from llmconfig.tenancy.base import OwnedModel, TenantManager, TenantModel
from llmconfig.tenancy.sealed import SealedField

__all__ = [
    "ApiToken",
    "DataKey",
    "IdempotencyRecord",
    "Invitation",
    "Membership",
    "Organization",
    "OwnedModel",
    "Role",
    "Scope",
    "TenantManager",
    "TenantModel",
    "User",
    "all_scopes",
]


class Role(models.TextChoices):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"
    AUDITOR = "auditor"


class Scope(models.TextChoices):
    """What a token may do; each includes those above it."""

    READ = "read"
    RUN = "run"
    ADMIN = "admin"


def all_scopes() -> list[str]:
    return [scope.value for scope in Scope]


class Organization(models.Model):  # type: ignore[django-manager-missing]  # knox has no stubs
    """The tenant: whatever belongs to one organization is invisible to every other.

    Its policy. allowed_providers: slugs; allowed_models: `provider/model`, where * stands for any text; allowed_hosts: host names of
    base URLs, where a leading *. stands for any name below and a port may follow; null allows all, [] none. retention_days of
    conversations and audit_retention_days: null keeps for good. token_max_days: how long an API token may live, null for ever.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
    allowed_providers = models.JSONField(null=True, blank=True)
    allowed_models = models.JSONField(null=True, blank=True)
    allowed_hosts = models.JSONField(null=True, blank=True)
    members_may_bring_keys = models.BooleanField(default=True)
    requires_mfa = models.BooleanField(default=False)
    retention_days = models.PositiveIntegerField(null=True, blank=True)
    audit_retention_days = models.PositiveIntegerField(null=True, blank=True)
    token_max_days = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):  # type: ignore[django-manager-missing]  # knox has no stubs
    """A person. Whoever is created without `joins` founds an organization of their own (tenancy/accounts.py)."""

    joins: ClassVar[Organization | None] = None

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organizations = models.ManyToManyField(Organization, through="llmconfig.Membership", related_name="members")


class Membership(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="membership_once")]
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization} ({self.role})"


class Invitation(TenantModel):
    """An open place in an organization, for whoever holds the link. Only the SHA-256 of its value is kept.

    email: who it was meant for, "" for anyone. It is used once, at `accepted_at`.
    """

    email = models.EmailField(blank=True)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.email or "anyone with the link"


class DataKey(models.Model):
    """A key of one organization, wrapped by the root key. Deleting the row makes all that it sealed unreadable for good.

    retired_at: since when another seals. resealed_at: when all that it had sealed was under another, but for what cannot be opened; null
    while a rotation is under way, and for a key that was set aside because no present root key opens it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="data_keys")
    key_id = models.CharField(max_length=16, unique=True)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    resealed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization"], condition=models.Q(retired_at=None), name="one_current_data_key"),
        ]

    def __str__(self) -> str:
        return self.key_id


class ApiToken(AbstractAuthToken):  # type: ignore[misc]  # knox has no stubs
    """A named token, bound to one organization. Only the SHA-512 of its value is kept.

    sha256: of the value that a request came with, for keys of a cache.
    """

    sha256: ClassVar[str] = ""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    digest = models.CharField(max_length=128, unique=True, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=120)
    scopes = models.JSONField(default=all_scopes)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created", "-id"]

    def __str__(self) -> str:
        return self.name


class IdempotencyRecord(models.Model):
    """A request that carried an Idempotency-Key. `status` is null while it runs; the sealed `body` is what it was answered."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    principal = models.CharField(max_length=80)
    path = models.CharField(max_length=300)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    body = SealedField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["principal", "path", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.path} {self.key}"
