"""An organization's data keys, and the two verbs that seal and open a field of a row with them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction

from llmconfig.tenancy.models import DataKey as DataKeyRow
from llmconfig.vault import Context, DataKey, LocalRootKey, RootKey, Unreadable, key_id_of, new_data_key, open_sealed, seal

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import Model

    from llmconfig.llm import Secret


@lru_cache(maxsize=4)
def _root_key(kek: str) -> LocalRootKey:
    return LocalRootKey(kek)


def root_key() -> RootKey:
    return _root_key(settings.KEK)


@lru_cache(maxsize=1024)
def _unwrapped(kek: str, owner: str, key_id: str, wrapped: bytes) -> DataKey:
    """Unwrapping is pure, so its results may be kept: what was revoked or deleted is not found in the database before this is asked."""
    return DataKey(key_id, _root_key(kek).unwrap(wrapped, context=f"{owner}|{key_id}"))


def wrap(key: DataKey, owner: str) -> bytes:
    """`key` under the current KEK. owner: whose it is, an organization's id for instance; it must be named again to unwrap."""
    return root_key().wrap(key.material, context=f"{owner}|{key.key_id}")


def unwrapped(owner: str, key_id: str, wrapped: bytes) -> DataKey:
    """Raises `Unreadable`."""
    return _unwrapped(settings.KEK, owner, key_id, wrapped)


def _opened(row: DataKeyRow) -> DataKey:
    return unwrapped(str(row.organization_id), row.key_id, bytes(row.wrapped))


def data_key_for(organization_id: UUID) -> DataKey:
    """The organization's current key, made on first use; of two that race to make it, one wins. Raises `Unreadable` under another KEK."""
    current = DataKeyRow.objects.filter(organization_id=organization_id, retired_at=None)
    row = current.first()
    if row is None:
        fresh = new_data_key()
        wrapped = wrap(fresh, str(organization_id))
        try:
            with transaction.atomic():
                row = DataKeyRow.objects.create(organization_id=organization_id, key_id=fresh.key_id, wrapped=wrapped)
        except IntegrityError:
            row = current.get()
    return _opened(row)


def data_key_named(organization_id: UUID, key_id: str) -> DataKey:
    """A key by its id, retired ones included. Raises `Unreadable` when it is gone or the KEK is another."""
    row = DataKeyRow.objects.filter(organization_id=organization_id, key_id=key_id).first()
    if row is None:
        raise Unreadable("The data key that sealed this value no longer exists.")
    return _opened(row)


def context_of(row: Any, field: str) -> Context:
    """What a sealed field of a row is bound to. A row without an owner is bound to its organization alone."""
    model: type[Model] = type(row)
    owner = getattr(row, "owner_id", None)
    return Context(
        table=model._meta.db_table,
        field=field,
        organization=str(row.organization_id),
        owner=str(owner) if owner else "",
        row=str(row.pk),
    )


def seal_for(row: Any, field: str, secret: Secret) -> str:
    """Ciphertext for `field` of `row`; the row needs its id, organization and owner, not to be saved."""
    return seal(secret, context_of(row, field), data_key_for(row.organization_id))


def open_for(row: Any, field: str) -> Secret:
    """The secret in a sealed field of `row`. Raises `Unreadable`."""
    text: str = getattr(row, field).text
    return open_sealed(text, context_of(row, field), data_key_named(row.organization_id, key_id_of(text)))
