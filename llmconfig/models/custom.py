"""What an admin says of a model: one that no list holds, or facts and a price that outweigh what the lists say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from llmconfig.models.config import MAX_MODEL_LENGTH, UserLLMConfig
from llmconfig.tenancy.base import TenantModel


def _price() -> models.DecimalField[Any, Any]:
    """Below a million for a million tokens, so that no count of tokens overflows the ledger."""
    return models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True, validators=[MinValueValidator(0)])


class CustomModel(TenantModel):
    """One model of one config. What is empty here stays as the lists have it.

    Prices are for a million tokens. capabilities: those of `Capabilities.as_dict` that the admin states.
    """

    config = models.ForeignKey(UserLLMConfig, on_delete=models.CASCADE, related_name="custom_models")
    model = models.CharField(max_length=MAX_MODEL_LENGTH)
    label = models.CharField(max_length=MAX_MODEL_LENGTH, blank=True, default="")
    context_window = models.PositiveIntegerField(null=True, blank=True, help_text="Tokens.")
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    capabilities = models.JSONField(default=dict, blank=True)
    input_per_mtok = _price()
    output_per_mtok = _price()
    cache_read_per_mtok = _price()
    cache_write_per_mtok = _price()
    cache_write_1h_per_mtok = _price()
    currency = models.CharField(max_length=3, default="USD", validators=[RegexValidator(r"\A[A-Z]{3}\Z", "Three capital letters.")])

    if TYPE_CHECKING:
        config_id: Any

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["config", "model"], name="custom_model_once_per_config"),
            models.CheckConstraint(
                condition=Q(input_per_mtok__isnull=False, output_per_mtok__isnull=False)
                | Q(
                    input_per_mtok__isnull=True,
                    output_per_mtok__isnull=True,
                    cache_read_per_mtok__isnull=True,
                    cache_write_per_mtok__isnull=True,
                    cache_write_1h_per_mtok__isnull=True,
                ),
                name="custom_price_is_whole",
                violation_error_message="A price names both input and output.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} of {self.config}"
