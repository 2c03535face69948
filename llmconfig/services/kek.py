"""Rotating the KEK: every data key and audit key is wrapped anew under the current root key. No secret is touched."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction

from llmconfig.tenancy.audit import INSTALLATION, AuditEvent, AuditKey, record
from llmconfig.tenancy.audit.keys import CONTEXT
from llmconfig.tenancy.keyring import follow, root_key
from llmconfig.tenancy.keys import rewrapped
from llmconfig.tenancy.models import DataKey
from llmconfig.vault import Unreadable, root_id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llmconfig.tenancy.audit import Actor


@dataclass(slots=True)
class Rewrapped:
    """keys: how many were wrapped anew. stuck: those that no root key here opens, as `data key ID` or `audit key ID`."""

    keys: int = 0
    stuck: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Wrapped:
    label: str
    owner: str
    key_id: str
    wrapped: bytes
    rows: Any


def keys_by_root() -> Counter[str]:
    """How many keys each root key wraps, by its id."""
    return Counter(root_id_of(each.wrapped) for each in _all())


def keys_elsewhere() -> int:
    """How many keys are not under the current root key, though the present ones open them."""
    root = root_key()
    return sum(number for root_id, number in keys_by_root().items() if root_id != root.key_id and root.knows(root_id))


def rewrap_keys(*, actor: Actor, progress: Callable[[int], None] = lambda keys: None) -> Rewrapped:
    """Wrap everything under the current root key that is not, one row at a time. Can be killed and called again."""
    follow()
    _record_promotion(actor)
    result = Rewrapped()
    current = root_key().key_id
    for each in _all():
        if root_id_of(each.wrapped) == current:
            continue
        try:
            fresh = rewrapped(each.owner, each.key_id, each.wrapped)
        except Unreadable:
            result.stuck.append(each.label)
            continue
        done: int = each.rows.filter(wrapped=each.wrapped).update(wrapped=fresh)
        result.keys += done
        progress(done)
    return result


def _record_promotion(actor: Actor) -> None:
    """Once for each root key that others gave way to."""
    current = root_key().key_id
    before = sorted(root_id for root_id in keys_by_root() if root_id != current)
    with transaction.atomic():
        told = AuditEvent.objects.filter(chain=INSTALLATION, action="kek.promoted", object_id=current).exists()
        if before and not told:
            record("kek.promoted", actor=actor, organization=None, object=("kek", current, current), details={"previous": before})


def _all() -> Iterator[_Wrapped]:
    for row in DataKey.objects.order_by("pk").iterator(chunk_size=1000):
        rows = DataKey.objects.filter(pk=row.pk)
        yield _Wrapped(f"data key {row.key_id}", str(row.organization_id), row.key_id, bytes(row.wrapped), rows)
    for audit in AuditKey.objects.order_by("pk"):
        yield _Wrapped(f"audit key {audit.pk}", CONTEXT, audit.key_id, bytes(audit.wrapped), AuditKey.objects.filter(pk=audit.pk))
