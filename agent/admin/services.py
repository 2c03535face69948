"""Services and tool policies in the admin. A token, or a key in an address, can neither be seen nor set here."""

from __future__ import annotations

from django.contrib import admin

from agent.admin.runs import ReadOnly
from agent.mcp.endpoint import masked
from agent.models import Service, ServiceTool


class ToolInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = ServiceTool
    fields = ["name", "policy", "read_only", "state"]
    extra = 0


@admin.register(Service)
class ServiceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    list_display = ["display_name", "organization", "owner", "transport", "auth_type", "status", "is_enabled"]
    list_filter = ["status", "organization", "is_demo"]
    list_select_related = ["organization", "owner"]
    fields = ["display_name", "organization", "owner", "slug", "transport", "address", "auth_type", "status", "status_detail", "is_enabled"]
    readonly_fields = ["organization", "owner", "slug", "transport", "address", "auth_type", "status", "status_detail"]
    inlines = [ToolInline]

    @admin.display(description="URL")
    def address(self, service: Service) -> str:
        return masked(service.url)

    def has_add_permission(self, request: object) -> bool:
        return False
