"""Every sealed value of an organization, wherever an app stores one, and sealing them anew under its current data key.

Values are opened and sealed outside any transaction. A batch is then written by compare and swap: what changed since it was read is
left alone and comes again in the next pass. On Postgres a row that somebody else holds is passed over, so that no request ever waits
for a rotation that waits for it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Q

from llmconfig.tenancy.keys import context_in, data_key_named, present_key_for
from llmconfig.tenancy.models import DataKey as DataKeyRow
from llmconfig.tenancy.sealed import SealedField
from llmconfig.vault import Unreadable, fingerprint, key_id_of, open_sealed, seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from django.db.models import Model

    from llmconfig.vault import DataKey

BATCH: Final = 500
_PAUSE_S: Final = 0.05
_PASSES_WITHOUT_PROGRESS: Final = 100


@dataclass(frozen=True, slots=True)
class Stuck:
    """A value that could not be opened: it was left as it is."""

    model: str
    id: str
    field: str

    def __str__(self) -> str:
        return f"{self.model} {self.id} {self.field}"


@dataclass(slots=True)
class Resealed:
    """values: how many are under the current key that were not. busy: how many were held by others to the end; the next call takes them."""

    values: int = 0
    stuck: set[Stuck] = field(default_factory=set)
    busy: int = 0


class _Value(NamedTuple):
    pk: Any
    owner: Any
    text: str


@dataclass(frozen=True, slots=True)
class _Change:
    pk: Any
    before: str
    after: str
    fingerprint: str


def sealed_models() -> Iterator[tuple[type[Model], tuple[str, ...]]]:
    """Every model that stores sealed values, with the names of those fields."""
    for model in apps.get_models():
        if names := tuple(each.name for each in model._meta.concrete_fields if isinstance(each, SealedField)):
            yield model, names


def values_by_key(organization_id: UUID) -> dict[str, int]:
    """How many values each of the organization's data keys sealed; under "" those whose key is not there."""
    known = list(DataKeyRow.objects.filter(organization_id=organization_id).values_list("key_id", flat=True))
    counted = {key_id: values_under(organization_id, key_id) for key_id in known}
    counted[""] = sum(
        model._base_manager.filter(organization_id=organization_id)
        .exclude(**{name: ""})
        .exclude(_any(Q(**{f"{name}__sealed_with": key_id}) for key_id in known))
        .count()
        for model, names in sealed_models()
        for name in names
    )
    return counted


def values_under(organization_id: UUID, key_id: str) -> int:
    return sum(
        model._base_manager.filter(**{"organization_id": organization_id, f"{name}__sealed_with": key_id}).count()
        for model, names in sealed_models()
        for name in names
    )


def reseal(organization_id: UUID, *, progress: Callable[[int], None] = lambda values: None) -> Resealed:
    """Bring all values of the organization under its current data key. progress: called with the values done since the last call.

    Can be killed and called again, and by several at once. Raises `Unreadable` when the current key itself cannot be opened.
    """
    result = Resealed()
    for model, names in sealed_models():
        idle = 0
        while True:
            found, written = _pass(organization_id, model, names, result, progress)
            if not found:
                break
            idle = 0 if written else idle + 1
            if idle == _PASSES_WITHOUT_PROGRESS:
                result.busy += found
                break
            time.sleep(0 if written else _PAUSE_S)
    if present_key_for(organization_id) is None:
        result.stuck.clear()  # the organization was deleted meanwhile, and its values with it
    return result


def _pass(
    organization_id: UUID, model: type[Model], names: Sequence[str], result: Resealed, progress: Callable[[int], None]
) -> tuple[int, int]:
    """(values found under other keys, values written), once over the model's rows of the organization."""
    if (current := present_key_for(organization_id)) is None:
        return 0, 0
    keys: dict[str, DataKey | None] = {current.key_id: current}
    others = _any(~Q(**{name: ""}) & ~Q(**{f"{name}__sealed_with": current.key_id}) for name in names)
    rows = model._base_manager.filter(others, organization_id=organization_id).order_by("pk")
    owned = _has(model, "owner")
    named = rows.values_list("pk", "owner_id" if owned else "organization_id", *names)
    found = written = 0
    last: Any = None
    while batch := list((named if last is None else named.filter(pk__gt=last))[:BATCH]):
        last = batch[-1][0]
        for position, name in enumerate(names):
            values = [_Value(pk, owner if owned else None, fields[position].text) for pk, owner, *fields in batch]
            changes = list(_changes(organization_id, model, name, values, current, keys, result.stuck))
            done = _write(organization_id, model, name, current, changes)
            found += len(changes)
            written += done
            result.values += done
            progress(done)
    return found, written


def _changes(
    organization_id: UUID,
    model: type[Model],
    name: str,
    values: Sequence[_Value],
    current: DataKey,
    keys: dict[str, DataKey | None],
    stuck: set[Stuck],
) -> Iterator[_Change]:
    marked = _has(model, f"{name}_fingerprint")
    for value in values:
        if not value.text or value.text.startswith(f"v1.{current.key_id}."):
            continue
        try:
            key = _key(organization_id, key_id_of(value.text), keys)
            context = context_in(model, name, organization=organization_id, owner=value.owner, row=value.pk)
            secret = open_sealed(value.text, context, key)
        except Unreadable:
            stuck.add(Stuck(model._meta.label, str(value.pk), name))
            continue
        yield _Change(value.pk, value.text, seal(secret, context, current), fingerprint(secret, current) if marked else "")


def _key(organization_id: UUID, key_id: str, keys: dict[str, DataKey | None]) -> DataKey:
    if key_id not in keys:
        try:
            keys[key_id] = data_key_named(organization_id, key_id)
        except Unreadable:
            keys[key_id] = None
    if (key := keys[key_id]) is None:
        raise Unreadable("The data key that sealed this value is gone, or cannot be opened.")
    return key


def _write(organization_id: UUID, model: type[Model], name: str, current: DataKey, changes: Sequence[_Change]) -> int:
    """How many of the values were still as they had been read, and are changed. A fingerprint is keyed by the data key, and goes along."""
    if not changes:
        return 0
    quote, meta = connection.ops.quote_name, model._meta
    columns: dict[str, str] = {each.name: quote(str(each.column)) for each in meta.concrete_fields}
    column, pk = columns[name], meta.pk
    marked = _has(model, f"{name}_fingerprint")
    assigned = [f"{column} = %s", *([f"{columns[f'{name}_fingerprint']} = %s"] if marked else [])]
    words = ("UPDATE", quote(meta.db_table), "SET", ", ".join(assigned), "WHERE", columns[pk.name], "= %s AND", column, "= %s")
    statement = " ".join(words)
    with transaction.atomic():
        if present_key_for(organization_id) != current:
            return 0  # replaced meanwhile: the next pass seals with the one that follows; or deleted
        free = model._base_manager.filter(pk__in=[change.pk for change in changes]).select_for_update(no_key=True, skip_locked=True)
        unlocked = set(free.values_list("pk", flat=True)) if connection.features.has_select_for_update else None
        rows = [
            [change.after, *([change.fingerprint] if marked else []), pk.get_db_prep_value(change.pk, connection), change.before]
            for change in changes
            if unlocked is None or change.pk in unlocked
        ]
        with connection.cursor() as cursor:
            if not rows:
                return 0
            cursor.executemany(statement, rows)
            return int(cursor.rowcount)


def _has(model: type[Model], name: str) -> bool:
    return any(each.name == name for each in model._meta.concrete_fields)


def _any(conditions: Any) -> Q:
    combined = Q(pk__in=[])
    for condition in conditions:
        combined |= condition
    return combined
