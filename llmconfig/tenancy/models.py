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
    """The tenant: whatever belongs to one organization is invisible to every other."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
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


class DataKey(models.Model):
    """A key of one organization, wrapped by the root key. Deleting the row makes all that it sealed unreadable for good."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="data_keys")
    key_id = models.CharField(max_length=16, unique=True)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization"], condition=models.Q(retired_at=None), name="one_current_data_key"),
        ]

    def __str__(self) -> str:
        return self.key_id


class ApiToken(AbstractAuthToken):  # type: ignore[misc]  # knox has no stubs
    """A named token, bound to one organization. Only the SHA-512 of its value is kept."""

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
