"""The models that a provider listed for a config when it was last asked."""

from __future__ import annotations

from django.db import models

from llmconfig.models.config import UserLLMConfig
from llmconfig.tenancy.base import TenantModel


class ModelList(TenantModel):
    """entries: a list of `{"id", "label", "context_window", "max_output_tokens", "capabilities"}` in the provider's order."""

    config = models.OneToOneField(UserLLMConfig, on_delete=models.CASCADE, related_name="model_list")
    entries = models.JSONField(default=list)
    fetched_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"models of {self.config}"
