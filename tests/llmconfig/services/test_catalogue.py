"""Which models a caller may use, which one is meant by default, and where a target leads."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from llmconfig import services
from llmconfig.llm import Secret
from llmconfig.models import MAX_MODEL_LENGTH, ModelList, UserLLMConfig
from llmconfig.tenancy.errors import Invalid

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
KEY = Secret("sk-ant-first-key-aaaa")


def make(who: Person, **fields: object) -> UserLLMConfig:
    return services.create_config(caller=who.caller, **{"provider_type": "anthropic", "api_key": KEY, **fields})


def listing(config: UserLLMConfig, *models: str) -> None:
    entries = [{"id": model, "label": "", "context_window": None, "max_output_tokens": None} for model in models]
    ModelList.objects.create(config=config, organization=config.organization, entries=entries, fetched_at=timezone.now())


def test_rows(alice: Person) -> None:
    config = make(alice, model="claude-sonnet-4-5")
    listing(config, "claude-haiku-4-5", "a-model-without-a-price")
    rows = {row["model"]: row for row in services.models_for(alice.caller)}
    assert list(rows) == ["claude-sonnet-4-5", "claude-haiku-4-5", "a-model-without-a-price"]
    sonnet = rows["claude-sonnet-4-5"]
    assert sonnet["id"] == f"{config.pk}/claude-sonnet-4-5"
    assert sonnet["price"] == {
        "input_per_mtok": "3",
        "output_per_mtok": "15",
        "cache_read_per_mtok": "0.3",
        "cache_write_per_mtok": "3.75",
        "cache_write_1h_per_mtok": "6",
        "currency": "USD",
        "source": "list",
    }
    assert (sonnet["label"], sonnet["context_window"]) == ("Claude Sonnet 4.5", 200_000)
    assert rows["a-model-without-a-price"]["price"] is None
    assert rows["a-model-without-a-price"]["label"] == "a-model-without-a-price"


def test_only_what_is_mine_or_shared_and_enabled(alice: Person, bob: Person, mallory: Person) -> None:
    make(alice, model="own")
    make(alice, model="shared", shared=True)
    make(alice, model="off", shared=True, is_enabled=False)
    assert [row["model"] for row in services.models_for(alice.caller)] == ["own", "shared"]
    assert [row["model"] for row in services.models_for(bob.caller)] == ["shared"]
    assert services.models_for(mallory.caller) == []


def test_a_model_whose_name_is_too_long_to_be_run_is_not_listed(alice: Person) -> None:
    config = make(alice)
    longest, longer = "m" * MAX_MODEL_LENGTH, "m" * (MAX_MODEL_LENGTH + 1)
    listing(config, longer, longest)
    assert [row["model"] for row in services.models_for(alice.caller)] == [longest]
    assert services.default_target(alice.caller) == (config, longest)
    assert services.resolve_target(alice.caller, f"{config.pk}/{longest}") == (config, longest)
    with pytest.raises(Invalid):
        services.resolve_target(alice.caller, f"{config.pk}/{longer}")


def test_a_model_name_may_hold_slashes(alice: Person) -> None:
    config = make(alice)
    assert services.resolve_target(alice.caller, f"{config.pk}/org/model:free") == (config, "org/model:free")


def test_targets_that_lead_nowhere(alice: Person, mallory: Person) -> None:
    config, disabled = make(alice), make(alice, is_enabled=False)
    for target in ("", "nonsense", f"{config.pk}", f"{config.pk}/", f"{uuid.uuid4()}/m", f"{disabled.pk}/m", f"{config.pk}/{'m' * 201}"):
        with pytest.raises(Invalid):
            services.resolve_target(alice.caller, target)
    with pytest.raises(Invalid):
        services.resolve_target(mallory.caller, f"{config.pk}/m")


def test_the_default(alice: Person, settings) -> None:
    assert services.default_target(alice.caller) is None
    settings.DEMO = True
    assert services.default_target(alice.caller)[1] == "demo-1"
    make(alice, model="shared", shared=True)
    assert services.default_target(alice.caller)[1] == "shared"
    make(alice)  # names no model and lists none
    make(alice, model="own")
    assert services.default_target(alice.caller)[1] == "own"
    make(alice, model="shared default", shared=True, is_default=True)
    assert services.default_target(alice.caller)[1] == "shared default"
    chosen = make(alice, is_default=True)
    listing(chosen, "first", "second")
    assert services.default_target(alice.caller) == (chosen, "first")


def test_queries_do_not_grow_with_configs(alice: Person, django_assert_num_queries) -> None:
    for number in range(5):
        listing(make(alice, model=f"m{number}"), "x", "y")
    with django_assert_num_queries(2):
        assert len(services.models_for(alice.caller)) == 15
