"""An organization's data keys, and the two verbs that seal and open a field of a row with them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, connection, transaction

from llmconfig.tenancy.keyring import follow, root_key
from llmconfig.tenancy.models import DataKey as DataKeyRow
from llmconfig.vault import Context, DataKey, RootKey, Unreadable, key_id_of, new_data_key, open_sealed, seal

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import Model

    from llmconfig.llm import Secret


@lru_cache(maxsize=1024)
def _unwrapped(root: RootKey, owner: str, key_id: str, wrapped: bytes) -> DataKey:
    """Unwrapping is pure, so its results may be kept: what was revoked or deleted is not found in the database before this is asked."""
    return DataKey(key_id, root.unwrap(wrapped, context=f"{owner}|{key_id}"))


def wrap(key: DataKey, owner: str) -> bytes:
    """`key` under the current root key. owner: whose it is, an organization's id for instance; it must be named again to unwrap."""
    follow()
    return root_key().wrap(key.material, context=f"{owner}|{key.key_id}")


def unwrapped(owner: str, key_id: str, wrapped: bytes) -> DataKey:
    """Raises `Unreadable`."""
    root = root_key()
    try:
        return _unwrapped(root, owner, key_id, wrapped)
    except Unreadable:
        follow()
        if (fresh := root_key()) is root:
            raise
    return _unwrapped(fresh, owner, key_id, wrapped)


def rewrapped(owner: str, key_id: str, wrapped: bytes) -> bytes:
    """The same key under the current root key. Raises `Unreadable`."""
    return wrap(unwrapped(owner, key_id, wrapped), owner)


def forget_unwrapped() -> None:
    """Drop the keys in the clear that this process holds."""
    _unwrapped.cache_clear()


def _opened(row: DataKeyRow) -> DataKey:
    return unwrapped(str(row.organization_id), row.key_id, bytes(row.wrapped))


def data_key_for(organization_id: UUID) -> DataKey:
    """The organization's current key, made on first use; of two that race to make it, one wins. Raises `Unreadable` under another KEK.

    Within a transaction the key's row stays until its end, so that what is sealed and stored there is never left without its key.
    """
    row = _current(organization_id)
    if row is None:
        fresh = new_data_key()
        wrapped = wrap(fresh, str(organization_id))
        try:
            with transaction.atomic():
                row = DataKeyRow.objects.create(organization_id=organization_id, key_id=fresh.key_id, wrapped=wrapped)
        except IntegrityError:
            row = _current(organization_id)
            if row is None:  # the organization itself is gone
                raise
    return _opened(row)


def present_key_for(organization_id: UUID) -> DataKey | None:
    """As `data_key_for`, and none is made: None for an organization that has no key, or is gone."""
    row = _current(organization_id)
    return None if row is None else _opened(row)


_LOCKED = 'SELECT * FROM "llmconfig_datakey" WHERE "organization_id" = %s AND "retired_at" IS NULL FOR KEY SHARE'


def _current(organization_id: UUID) -> DataKeyRow | None:
    """On SQLite a transaction that writes has the whole database to itself."""
    if connection.vendor == "postgresql" and connection.in_atomic_block:
        return next(iter(DataKeyRow.objects.raw(_LOCKED, [organization_id])), None)
    return DataKeyRow.objects.filter(organization_id=organization_id, retired_at=None).first()


def data_key_named(organization_id: UUID, key_id: str) -> DataKey:
    """A key by its id, retired ones included. Raises `Unreadable` when it is gone or the KEK is another."""
    row = DataKeyRow.objects.filter(organization_id=organization_id, key_id=key_id).first()
    if row is None:
        raise Unreadable("The data key that sealed this value no longer exists.")
    return _opened(row)


def context_of(row: Any, field: str) -> Context:
    """What a sealed field of a row is bound to. A row without an owner is bound to its organization alone."""
    return context_in(type(row), field, organization=row.organization_id, owner=getattr(row, "owner_id", None), row=row.pk)


def context_in(model: type[Model], field: str, *, organization: Any, owner: Any, row: Any) -> Context:
    """The same for a row whose ids alone are at hand."""
    return Context(
        table=model._meta.db_table,
        field=field,
        organization=str(organization),
        owner=str(owner) if owner else "",
        row=str(row),
    )


def seal_for(row: Any, field: str, secret: Secret) -> str:
    """Ciphertext for `field` of `row`; the row needs its id, organization and owner, not to be saved."""
    return seal(secret, context_of(row, field), data_key_for(row.organization_id))


def open_for(row: Any, field: str) -> Secret:
    """The secret in a sealed field of `row`. Raises `Unreadable`."""
    text: str = getattr(row, field).text
    while True:
        try:
            key = data_key_named(row.organization_id, key_id_of(text))
        except Unreadable:
            text = _stored_anew(row, field, text)
        else:
            return open_sealed(text, context_of(row, field), key)


def renew(row: Any, field: str) -> None:
    """For a row that was sealed before the transaction that now stores it: seal under the current key what a rotation met in between.

    Raises `Unreadable` when the old key is gone already.
    """
    sealed = getattr(row, field)
    if sealed and key_id_of(sealed.text) != data_key_for(row.organization_id).key_id:
        secret = open_sealed(sealed.text, context_of(row, field), data_key_named(row.organization_id, key_id_of(sealed.text)))
        setattr(row, field, type(sealed)(seal_for(row, field, secret)))


def _stored_anew(row: Any, field: str, before: str) -> str:
    """What a rotation stored since the row was read, and deleted the key of what was read. Raises `Unreadable` when it did not."""
    model: type[Model] = type(row)
    stored = model._base_manager.filter(pk=row.pk).values_list(field, flat=True).first()
    if not stored or stored.text == before:
        raise Unreadable("The data key that sealed this value is gone, or cannot be opened.")
    text: str = stored.text
    return text


def openable_keys(organization_id: UUID) -> frozenset[str]:
    """The ids of the organization's data keys that the present root key opens. One query."""
    found = set()
    for row in DataKeyRow.objects.filter(organization_id=organization_id):
        try:
            found.add(_opened(row).key_id)
        except Unreadable:
            continue
    return frozenset(found)


def names_a_key_of(text: str, keys: frozenset[str]) -> bool:
    """Whether a sealed value could be opened with one of these keys."""
    try:
        return key_id_of(text) in keys
    except Unreadable:
        return False
