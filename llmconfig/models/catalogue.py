"""The models that a provider listed for a config when it was last asked."""

from __future__ import annotations

from django.db import models

from llmconfig.models.config import UserLLMConfig
from llmconfig.tenancy.base import TenantModel


class ModelList(TenantModel):
    """entries: a list of `{"id", "label", "context_window", "max_output_tokens", "capabilities"}` in the provider's order.

    Last come those that it listed before and now leaves out, with `"gone_since"`, a time. base_url: of the config when it was asked.
    """

    config = models.OneToOneField(UserLLMConfig, on_delete=models.CASCADE, related_name="model_list")
    entries = models.JSONField(default=list)
    fetched_at = models.DateTimeField()
    base_url = models.CharField(max_length=500, blank=True, default="")

    def __str__(self) -> str:
        return f"models of {self.config}"
