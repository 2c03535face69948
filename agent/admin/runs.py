"""Runs and their attempts, read only. Messages are not here: conversations are their owner's alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from agent.models import Attempt, Run

if TYPE_CHECKING:
    from django.http import HttpRequest


class ReadOnly:
    """Rows that only runs write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Run)
class RunAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    list_display = ["id", "organization", "user", "status", "model", "error_kind", "created_at", "finished_at"]
    list_filter = ["status", "organization"]
    list_select_related = ["organization", "user"]
    date_hierarchy = "created_at"
    exclude = ["error_detail", "conversation"]  # a conversation is shown by its title: its first words


@admin.register(Attempt)
class AttemptAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    list_display = ["created_at", "provider", "model", "status", "input_tokens", "output_tokens", "cost", "currency", "evidence"]
    list_filter = ["provider", "status", "evidence"]
    exclude = ["error_detail"]
