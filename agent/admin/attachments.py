"""Attachments in the admin: how many there are, whose and how large; never what they hold or are called."""

from __future__ import annotations

from django.contrib import admin

from agent.admin.runs import ReadOnly
from agent.models import Attachment


@admin.register(Attachment)
class AttachmentAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    list_display = ["id", "organization", "owner", "kind", "media_type", "size", "created_at", "used_at"]
    list_filter = ["kind", "organization"]
    list_select_related = ["organization", "owner"]
    date_hierarchy = "created_at"
    fields = ["organization", "owner", "kind", "media_type", "size", "width", "height", "created_at", "used_at"]
