"""Organizations, memberships, users and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin

from llmconfig.models import ApiToken, Membership, Organization, User

if TYPE_CHECKING:
    from django.http import HttpRequest

_SHOWN_OF_A_TOKEN = ("name", "user", "organization", "scopes", "created", "expiry", "last_used_at")


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs only
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Organization)
class OrganizationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = ["name", "slug", "created_at"]
    search_fields = ["name", "slug"]
    readonly_fields = ["id", "created_at"]
    inlines = [MembershipInline]


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = ["user", "organization", "role", "created_at"]
    list_filter = ["role"]
    list_select_related = ["user", "organization"]
    search_fields = ["user__username", "organization__name"]
    autocomplete_fields = ["user", "organization"]


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Django's own; a user made here founds an organization like any other."""


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """To see and revoke; a value is only ever shown to who makes the token."""

    list_display = ["name", "user", "organization", "created", "expiry", "last_used_at"]
    list_select_related = ["user", "organization"]
    search_fields = ["name", "user__username"]
    fields = _SHOWN_OF_A_TOKEN
    readonly_fields = _SHOWN_OF_A_TOKEN

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
