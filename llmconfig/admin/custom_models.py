"""Models and prices that admins of organizations have stated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import PositiveIntegerField

from llmconfig.models import CustomModel

if TYPE_CHECKING:
    from django.http import HttpRequest


@admin.register(CustomModel)
class CustomModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = ["model", "config", "organization", "context_window", "input_per_mtok", "output_per_mtok", "currency", "updated_at"]
    list_select_related = ["config", "organization"]
    search_fields = ["model", "label", "config__name", "organization__name"]
    formfield_overrides = {PositiveIntegerField: {"min_value": 1}}
    readonly_fields = ["organization", "config", "model", "capabilities", "created_at", "updated_at"]

    def get_fields(self, request: HttpRequest, obj: CustomModel | None = None) -> Any:
        changeable = ["label", "context_window", "max_output_tokens", "input_per_mtok", "output_per_mtok"]
        cached = ["cache_read_per_mtok", "cache_write_per_mtok", "cache_write_1h_per_mtok"]
        return [*self.readonly_fields, *changeable, *cached, "currency"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # made under Settings, by an admin of the organization whose config it is
