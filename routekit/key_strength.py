"""What a SECRET_KEY or KEK must be like: nothing that a stranger could guess."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ImproperlyConfigured

MIN_KEY_LENGTH: Final = 32
_WELL_KNOWN: Final = (
    "changeme",
    "change-me",
    "change_me",
    "django-insecure-",
    "replaceme",
    "replace-me",
    "your-secret",
    "your_secret",
)


def strong(name: str, value: str) -> str:
    """Raises ImproperlyConfigured with the variable's name for what a stranger could guess."""
    repeated = any(value == (value[:length] * len(value))[: len(value)] for length in range(1, len(value) // 2 + 1))
    if len(value) < MIN_KEY_LENGTH or len(set(value)) < 8 or repeated or any(known in value.lower() for known in _WELL_KNOWN):
        raise ImproperlyConfigured(f"{name} is weak. Set it to at least {MIN_KEY_LENGTH} random characters.")
    return value
