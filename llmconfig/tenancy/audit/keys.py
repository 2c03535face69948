"""The key that chains an audit trail: found, or made when none can be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils import timezone

from llmconfig.tenancy.audit.models import AuditKey
from llmconfig.tenancy.keys import unwrapped, wrap
from llmconfig.vault import DataKey, Unreadable, chain_key, new_data_key

if TYPE_CHECKING:
    from uuid import UUID

CONTEXT: Final = "audit"


def newest_key(chain: UUID) -> tuple[str, bytes]:
    """(key id, the chain's key) for what is recorded now. Under a KEK that opens none of the keys here a new one begins: people must
    still be able to sign in and enter their keys anew, and the change of key shows in the chain.
    """
    row = AuditKey.objects.order_by("-created_at", "-key_id").first()
    root = _opened(row) if row else None
    if root is None:
        root = new_data_key()
        wrapped = wrap(root, CONTEXT)
        with transaction.atomic():
            AuditKey.objects.create(key_id=root.key_id, wrapped=wrapped, created_at=timezone.now())
    return root.key_id, chain_key(root, str(chain))


def key_named(key_id: str, chain: UUID) -> bytes:
    """The key that an event names. Raises `Unreadable` when it is gone or no present KEK opens it."""
    row = AuditKey.objects.filter(pk=key_id).first()
    root = _opened(row) if row else None
    if root is None:
        raise Unreadable("The key of this part of the audit trail cannot be opened.")
    return chain_key(root, str(chain))


def _opened(row: AuditKey) -> DataKey | None:
    try:
        return unwrapped(CONTEXT, row.key_id, bytes(row.wrapped))
    except (Unreadable, TypeError):  # TypeError: on SQLite a column may hold what is none of its type
        return None
