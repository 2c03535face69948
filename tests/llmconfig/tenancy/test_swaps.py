"""Ciphertexts of real rows, moved to every other place that could hold one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.tenancy.keys import data_key_for, open_for
from llmconfig.tenancy.sealed import Sealed
from llmconfig.vault import Unreadable
from tests.llmconfig.tenancy.sealed_rows import answer_of, config_of, service_of, values_of

if TYPE_CHECKING:
    from tests.llmconfig.people import Person


def test_promise_1_no_ciphertext_opens_in_another_row_owner_organization_field_or_table(
    alice: Person, bob: Person, mallory: Person
) -> None:
    rows: list[Any] = []
    for person in (alice, bob, mallory):
        name = person.user.username
        rows += [config_of(person, f"key-{number}-of-{name}") for number in range(2)]
        rows += [config_of(person, f"shared-by-{name}", shared=True), service_of(person, f"token-of-{name}")]
        rows += [service_of(person, f"token-by-{name}", shared=True), answer_of(person, f"to-{name}")]
    places = [(row, field) for row in rows for field in values_of(row)]
    texts = [values_of(row)[field] for row, field in places]
    for row, field in places:
        assert open_for(row, field)
    swaps = 0
    for number, (row, field) in enumerate(places):
        for other, text in enumerate(texts):
            if other == number:
                continue
            for moved in (text, f"v1.{data_key_for(row.organization_id).key_id}.{text.rsplit('.', 1)[1]}"):
                setattr(row, field, Sealed(moved))
                type(row).objects.filter(pk=row.pk).update(**{field: Sealed(moved)})
                with pytest.raises(Unreadable):
                    open_for(row, field)
            swaps += 1
        setattr(row, field, Sealed(texts[number]))
        type(row).objects.filter(pk=row.pk).update(**{field: Sealed(texts[number])})
    assert swaps == len(places) * (len(places) - 1)
    assert swaps >= 500  # and twice, with the key's id forged


def test_promise_1_not_under_another_owner_either(alice: Person, bob: Person) -> None:
    row = config_of(alice, "key-of-alice")
    before = row.api_key
    for owner in (bob.user, None):
        row.owner = owner
        row.save()
        with pytest.raises(Unreadable):
            open_for(row, "api_key")
    assert row.api_key == before
