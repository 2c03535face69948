"""Keys that were replaced: the sealed copy that is kept for the grace, and its end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from llmconfig.models import RetiredKey, UserLLMConfig
from llmconfig.services.fields import places_of, provider_of
from llmconfig.services.secrets import reseal
from llmconfig.tenancy.audit import SYSTEM, record
from llmconfig.tenancy.errors import Invalid
from llmconfig.vault import Unreadable

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from llmconfig.llm import Secret


def retired_keys(config: UserLLMConfig) -> QuerySet[RetiredKey]:
    """Those that may still be brought back, newest first."""
    return config.retired_keys.filter(shred_at__gt=timezone.now())


def present_places(config: UserLLMConfig) -> list[list[Any]]:
    """Where its secrets are sent now. Raises `Invalid` for a provider that is not here any more."""
    return places_of(provider_of(config.provider_type), config.base_url, config.options)


def retired_copy(config: UserLLMConfig, *, reason: RetiredKey.Reason, instead: Secret | None = None) -> RetiredKey | None:
    """The present key, sealed anew for a row of its own, unsaved. None where nothing is to be kept: there is none, none can be opened, the
    grace is 0, or it is the very key that comes `instead`.
    """
    if settings.KEY_GRACE_S <= 0 or not (config.api_key or config.credentials):
        return None
    now = timezone.now()
    copy = RetiredKey(
        organization_id=config.organization_id,
        config=config,
        api_key_hint=config.api_key_hint,
        api_key_fingerprint=config.api_key_fingerprint,
        secret_version=config.secret_version,
        reason=reason,
        retired_at=now,
        shred_at=now + timedelta(seconds=settings.KEY_GRACE_S),
    )
    try:
        copy.places = present_places(config)
        opened = reseal(config, copy)
    except (Unreadable, Invalid):
        return None
    return None if instead and opened == {"api_key": instead} else copy


def shred(config: UserLLMConfig) -> int:
    """How many of its replaced keys were there to be destroyed."""
    return config.retired_keys.all().delete()[0]


def shred_what_is_due() -> int:
    """Destroy the keys whose grace is over; how many. Each config's in a transaction of its own, with its event."""
    due = RetiredKey.objects.filter(shred_at__lte=timezone.now())
    total = 0
    for config in UserLLMConfig.objects.filter(pk__in=due.values("config")).distinct():
        with transaction.atomic():
            keys, _ = due.filter(config=config).delete()
            if keys:
                details = {"keys": keys, "why": "grace over"}
                record("config.shredded", actor=SYSTEM, organization=config.organization_id, object=config, details=details)
        total += keys
    return total
