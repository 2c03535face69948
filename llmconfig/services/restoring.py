"""Undoing a rotation within the grace, and destroying what was replaced before its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from llmconfig.models import ConfigStatus, RetiredKey
from llmconfig.services.configs import locked_config, require
from llmconfig.services.retired import present_places, retired_copy, retired_keys, shred
from llmconfig.services.secrets import reseal
from llmconfig.tenancy.audit import Actor, record
from llmconfig.tenancy.errors import Conflict
from llmconfig.vault import Unreadable

if TYPE_CHECKING:
    from uuid import UUID

    from llmconfig.models import UserLLMConfig
    from llmconfig.tenancy.caller import Caller


def restore_key(*, caller: Caller, id: UUID, key: UUID | None = None) -> UserLLMConfig:
    """The replaced key takes over again, and the present one is kept in its place. key: which one, the newest by default.

    Raises `Forbidden`, `DoesNotExist`, `Conflict` with a code: `no_retired_key`, `moved`, `unreadable`.
    """
    with transaction.atomic():
        config = locked_config(caller, id)
        require(caller, shared=config.shared)
        kept = retired_keys(config)
        old = (kept.filter(pk=key) if key else kept).first()
        if old is None:
            raise Conflict("There is no replaced key to bring back: its time is over, or it was destroyed.", code="no_retired_key")
        if old.places != present_places(config):
            raise Conflict("The replaced key was for another server, which it is never sent away from.", code="moved")
        present = retired_copy(config, reason=RetiredKey.Reason.RESTORED)
        try:
            reseal(old, config)
        except Unreadable:
            raise Conflict("The replaced key cannot be opened any more. Enter the key again.", code="unreadable") from None
        config.secret_version += 1
        config.status, config.status_detail = ConfigStatus.UNTESTED, ""
        config.save()
        details = {"hint": [present.api_key_hint if present else "", config.api_key_hint]}
        old.delete()
        if present is not None:
            present.save(force_insert=True)
        record("config.restored", actor=Actor.of(caller), organization=config.organization_id, object=config, details=details)
    return config


def shred_retired_keys(*, caller: Caller, id: UUID) -> int:
    """Destroy the replaced keys now; how many there were. Raises `Forbidden`, `DoesNotExist`."""
    with transaction.atomic():
        config = locked_config(caller, id)
        require(caller, shared=config.shared)
        keys = shred(config)
        if keys:
            details = {"keys": keys, "why": "asked for"}
            record("config.shredded", actor=Actor.of(caller), organization=config.organization_id, object=config, details=details)
    return keys
