"""Second factors: to see and to remove, for a person who has lost theirs. What they hold is shown to nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialApp, SocialToken
from django.contrib import admin

if TYPE_CHECKING:
    from django.http import HttpRequest

_SHOWN = ("user", "type", "created_at", "last_used_at")


class AuthenticatorAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = _SHOWN
    list_select_related = ["user"]
    search_fields = ["user__username"]
    fields = _SHOWN
    readonly_fields = _SHOWN

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


def take_over() -> None:
    """Call it once every app has registered its screens. allauth's own show what a factor holds, and make providers of identities,
    which come from the environment here.
    """
    for model in (Authenticator, SocialApp, SocialToken):
        if admin.site.is_registered(model):
            admin.site.unregister(model)
    admin.site.register(Authenticator, AuthenticatorAdmin)
