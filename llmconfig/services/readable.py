"""Whether a sealed secret could be opened, judged by the data key that it names: nothing is decrypted for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmconfig.models import DataKey
from llmconfig.tenancy.keys import unwrapped
from llmconfig.vault import Unreadable, key_id_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from llmconfig.models import UserLLMConfig
    from llmconfig.tenancy.sealed import Sealed


def open_keys(organization_id: UUID) -> frozenset[str]:
    """Ids of the organization's data keys that the present KEK opens. One query."""
    rows = DataKey.objects.filter(organization_id=organization_id).values_list("key_id", "wrapped")
    return frozenset(key_id for key_id, wrapped in rows if _opens(organization_id, key_id, bytes(wrapped)))


def can_open(sealed: Sealed, keys: Collection[str]) -> bool:
    """Nothing at all opens too. A damaged value may still turn out to be none when it is opened."""
    try:
        return not sealed or key_id_of(sealed.text) in keys
    except Unreadable:
        return False


def is_readable(config: UserLLMConfig, keys: Collection[str] | None = None) -> bool:
    """keys: those of its organization that open, where they are known already."""
    secrets = [getattr(config, name) for name in config.SECRET_FIELDS if getattr(config, name)]
    if not secrets:
        return True
    known = open_keys(config.organization_id) if keys is None else keys
    return all(can_open(each, known) for each in secrets)


def _opens(organization_id: UUID, key_id: str, wrapped: bytes) -> bool:
    try:
        unwrapped(str(organization_id), key_id, wrapped)
    except Unreadable:
        return False
    return True
