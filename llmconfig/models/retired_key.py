"""A key that was replaced: kept sealed for the grace, so that a rotation can be undone, then shredded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models

from llmconfig.models.config import UserLLMConfig
from llmconfig.tenancy.base import TenantModel
from llmconfig.tenancy.sealed import SealedField


class RetiredKey(TenantModel):
    """Sealed under this row's own context. places: the origins that the key was for, the only ones it may be brought back to.

    secret_version: of the config while this was its key.
    """

    SECRET_FIELDS: ClassVar = ("api_key", "credentials")

    class Reason(models.TextChoices):
        ROTATED = "rotated", "Replaced by a new key"
        RESTORED = "restored", "Replaced by the key before it"

    config = models.ForeignKey(UserLLMConfig, on_delete=models.CASCADE, related_name="retired_keys")
    api_key = SealedField(blank=True, default="")
    credentials = SealedField(blank=True, default="")
    api_key_hint = models.CharField(max_length=8, blank=True, default="")
    api_key_fingerprint = models.CharField(max_length=16, blank=True, default="")
    places = models.JSONField(default=list)
    secret_version = models.PositiveIntegerField()
    reason = models.CharField(max_length=10, choices=Reason, default=Reason.ROTATED)
    retired_at = models.DateTimeField()
    shred_at = models.DateTimeField(db_index=True)

    if TYPE_CHECKING:
        config_id: Any

    class Meta:
        ordering = ["-retired_at", "-id"]

    def __str__(self) -> str:
        return self.api_key_hint or "key"
