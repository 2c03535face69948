"""Resealing: every field of every model, nothing that changed meanwhile, and nothing that cannot be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import Secret
from llmconfig.models import UserLLMConfig
from llmconfig.services import promote_data_key
from llmconfig.tenancy import resealing
from llmconfig.tenancy.audit import SYSTEM
from llmconfig.tenancy.keys import data_key_for, open_for, renew, seal_for
from llmconfig.tenancy.models import DataKey
from llmconfig.tenancy.resealing import reseal, sealed_models, values_by_key, values_under
from llmconfig.tenancy.sealed import Sealed
from llmconfig.vault import Unreadable, fingerprint
from tests.llmconfig.tenancy.sealed_rows import answer_of, config_of, service_of, values_of

if TYPE_CHECKING:
    from tests.llmconfig.people import Person


def promote(person: Person) -> str:
    return promote_data_key(organization=person.organization, actor=SYSTEM).key_id


def test_every_sealed_field_of_every_app_is_found() -> None:
    found = {(model._meta.label, name) for model, names in sealed_models() for name in names}
    assert found >= {
        ("llmconfig.UserLLMConfig", "api_key"),
        ("llmconfig.UserLLMConfig", "credentials"),
        ("llmconfig.IdempotencyRecord", "body"),
        ("agent.Service", "token"),
    }


def test_a_model_with_sealed_fields_has_what_their_context_is_made_of() -> None:
    for model, _ in sealed_models():
        assert {"organization", "id"} <= {each.name for each in model._meta.concrete_fields}


def test_all_values_come_under_the_new_key_and_no_other_organization_s(alice: Person, bob: Person, mallory: Person) -> None:
    rows: list[Any] = [config_of(alice, "key-of-alice"), config_of(bob, "key-of-bob", shared=True)]
    rows += [service_of(bob, "token-of-bob"), answer_of(alice, "to-alice")]
    foreign = config_of(mallory, "key-of-mallory")
    before, kept = data_key_for(alice.organization.pk).key_id, values_of(foreign)
    after = promote(alice)
    done: list[int] = []
    result = reseal(alice.organization.pk, progress=done.append)
    assert (result.values, result.stuck, result.busy, sum(done)) == (6, set(), 0, 6)
    assert values_by_key(alice.organization.pk) == {before: 0, after: 6, "": 0}
    assert [open_for(type(row).objects.get(pk=row.pk), field).reveal() for row in rows for field in values_of(row)] == [
        "key-of-alice",
        '{"client_secret": "key-of-alice too"}',
        "key-of-bob",
        '{"client_secret": "key-of-bob too"}',
        "token-of-bob",
        "to-alice",
    ]
    assert values_of(foreign) == kept


def test_fingerprints_go_along_so_that_equal_keys_stay_equal(alice: Person) -> None:
    row = config_of(alice, "key-of-alice")
    promote(alice)
    reseal(alice.organization.pk)
    later = config_of(alice, "key-of-alice")
    row.refresh_from_db()
    assert row.api_key_fingerprint == later.api_key_fingerprint == fingerprint(Secret("key-of-alice"), data_key_for(alice.organization.pk))


def test_it_is_done_in_batches(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "BATCH", 3)
    for number in range(10):
        answer_of(alice, f"answer {number}")
    promote(alice)
    assert reseal(alice.organization.pk).values == 10


def test_a_row_that_changes_meanwhile_is_not_overwritten_and_comes_again(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    row = config_of(alice, "key-of-alice")
    old = seal_for(row, "api_key", Secret("entered-meanwhile"))
    promote(alice)
    real = resealing._write

    def after_another(*arguments: Any) -> int:
        UserLLMConfig.objects.filter(pk=row.pk, name="key-of-alice").update(api_key=Sealed(old), name="changed")
        return real(*arguments)

    monkeypatch.setattr(resealing, "_write", after_another)
    assert reseal(alice.organization.pk).values == 2
    row.refresh_from_db()
    assert open_for(row, "api_key").reveal() == "entered-meanwhile"
    assert row.api_key.text.split(".")[1] == data_key_for(alice.organization.pk).key_id


def test_what_cannot_be_opened_is_left_as_it_is_and_named(alice: Person) -> None:
    row, fine = config_of(alice, "key-of-alice"), config_of(alice, "another-of-alice")
    damaged = Sealed(row.api_key.text[:-6] + "AAAAAA")
    UserLLMConfig.objects.filter(pk=row.pk).update(api_key=damaged)
    promote(alice)
    result = reseal(alice.organization.pk)
    assert {str(each) for each in result.stuck} == {f"llmconfig.UserLLMConfig {row.pk} api_key"}
    assert result.values == 3
    row.refresh_from_db()
    assert row.api_key == damaged
    assert open_for(UserLLMConfig.objects.get(pk=fine.pk), "api_key").reveal() == "another-of-alice"


def test_values_whose_key_is_gone_are_counted_apart(alice: Person) -> None:
    config_of(alice, "key-of-alice")
    DataKey.objects.all().delete()
    key = data_key_for(alice.organization.pk)
    assert values_by_key(alice.organization.pk) == {key.key_id: 0, "": 2}
    assert len(reseal(alice.organization.pk).stuck) == 2


def test_a_key_replaced_during_a_batch_seals_nothing_more(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    config_of(alice, "key-of-alice")
    first = promote(alice)
    real, again = resealing._write, []

    def promoted_meanwhile(*arguments: Any) -> int:
        if not again:
            DataKey.objects.filter(retired_at=None).update(retired_at="2026-01-01T00:00:00Z", resealed_at="2026-01-01T00:00:00Z")
            again.append(data_key_for(alice.organization.pk).key_id)
        return real(*arguments)

    monkeypatch.setattr(resealing, "_write", promoted_meanwhile)
    reseal(alice.organization.pk)
    assert values_under(alice.organization.pk, first) == 0
    assert values_under(alice.organization.pk, again[0]) == 2


def test_who_read_a_row_before_a_rotation_opens_it_after_the_old_key_is_gone(alice: Person) -> None:
    row = config_of(alice, "key-of-alice")
    promote(alice)
    reseal(alice.organization.pk)
    DataKey.objects.exclude(retired_at=None).delete()
    assert open_for(row, "api_key").reveal() == "key-of-alice"
    row.api_key = Sealed(row.api_key.text[:-6] + "AAAAAA")
    row.save()
    with pytest.raises(Unreadable):
        open_for(row, "api_key")


def test_what_was_sealed_before_the_transaction_that_stores_it_is_renewed(alice: Person) -> None:
    row = config_of(alice, "key-of-alice")
    after = promote(alice)
    renew(row, "api_key")
    assert row.api_key.text.startswith(f"v1.{after}.")
    kept = row.api_key
    renew(row, "api_key")
    assert row.api_key is kept
    assert open_for(row, "api_key").reveal() == "key-of-alice"
