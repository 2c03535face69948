"""Sign-in and sign-up through allauth: a new account gets its organization from the user's own signal, whoever creates it."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # no stubs
    """allauth's adapter as it stands."""
