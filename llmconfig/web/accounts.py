"""Sign-in and sign-up through allauth: a new account gets its organization from the user's own signal, whoever creates it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings

if TYPE_CHECKING:
    from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # no stubs
    """Whoever signs up owns an organization of this installation, so the operator decides whether anyone may (ROUTEKIT_SIGNUP)."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGNUP)
