"""A config: one owner's credentials for a provider. Its secrets are sealed; what a person may see of them is the hint."""

from __future__ import annotations

from typing import ClassVar, Final

from django.conf import settings
from django.db import models

from llmconfig.tenancy.base import OwnedModel
from llmconfig.tenancy.sealed import SealedField

MAX_MODEL_LENGTH: Final = 200
"""Of a model's id; a longer one can be neither stored nor run, and is left out of lists."""


class ConfigStatus(models.TextChoices):
    UNTESTED = "untested"
    VALID = "valid"
    INVALID = "invalid"
    QUOTA_EXHAUSTED = "quota_exhausted"
    UNREADABLE = "unreadable"
    MISSING_KEY = "missing_key"
    DISABLED = "disabled"


class UserLLMConfig(OwnedModel):
    """api_key_hint: `…wxyz`. api_key_fingerprint: equal for equal keys of one organization, nothing of a key that has no hint.

    secret_version rises with each key it has had and each change of its owner: a client of another version is not its any more.
    models_asked_at: when a worker was last asked to fetch its list of models. uses counts the requests of runs, and last_used_at and
    last_used_by tell of the newest; a worker notes them once a minute at most, so that one which is killed takes a minute of them along.
    """

    SECRET_FIELDS: ClassVar = ("api_key", "credentials")

    name = models.CharField(max_length=120)
    provider_type = models.CharField(max_length=40)
    api_key = SealedField(blank=True, default="")
    credentials = SealedField(blank=True, default="", help_text="Other write-only fields of the provider, sealed as one JSON object.")
    api_key_hint = models.CharField(max_length=8, blank=True, default="", editable=False)
    api_key_fingerprint = models.CharField(max_length=16, blank=True, default="", editable=False)
    base_url = models.CharField(max_length=500, blank=True, default="", help_text="Empty means the provider's own address.")
    model = models.CharField(max_length=MAX_MODEL_LENGTH, blank=True, default="")
    options = models.JSONField(default=dict, blank=True)
    is_default = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    priority = models.IntegerField(default=0)
    weight = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=20, choices=ConfigStatus.choices, default=ConfigStatus.UNTESTED)
    status_detail = models.CharField(max_length=1000, blank=True, default="")
    last_tested_at = models.DateTimeField(null=True, blank=True)
    last_latency_ms = models.PositiveIntegerField(null=True, blank=True)
    secret_version = models.PositiveIntegerField(default=0, editable=False)
    models_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    uses = models.PositiveBigIntegerField(default=0, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        verbose_name = "provider config"
        indexes = [models.Index(fields=["organization", "owner", "-created_at"], name="config_by_owner")]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "owner"], condition=models.Q(is_default=True, owner__isnull=False), name="one_default_config_each"
            ),
            models.UniqueConstraint(
                fields=["organization"], condition=models.Q(is_default=True, owner__isnull=True), name="one_default_shared_config"
            ),
            models.UniqueConstraint(
                fields=["organization"], condition=models.Q(provider_type="demo", owner__isnull=True), name="one_shared_demo_config"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_status(self) -> str:
        """What a person is told: a disabled config says so, whatever its last test said."""
        return self.status if self.is_enabled else ConfigStatus.DISABLED.value
