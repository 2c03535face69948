"""Models and prices that admins state: what they outweigh, who may state them, and what an attempt then costs."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.utils import timezone

from llmconfig import services
from llmconfig.llm import Secret, Usage
from llmconfig.models import CustomModel, ModelList, UserLLMConfig
from llmconfig.tenancy.errors import Conflict, Forbidden, Invalid
from llmconfig.tenancy.models import Role
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
KEY = Secret("sk-ant-first-key-aaaa")
D = Decimal
PRICE: Any = {"input_per_mtok": D("1.5"), "output_per_mtok": D(6)}


def config_of(who: Person, **fields: object) -> UserLLMConfig:
    return services.create_config(caller=who.caller, **{"provider_type": "anthropic", "api_key": KEY, "shared": True, **fields})


def made(who: Person, config: UserLLMConfig, model: str = "ft-of-ours", **fields: Any) -> CustomModel:
    return services.create_custom_model(caller=who.caller, config=config.pk, model=model, **fields)


def row_of(who: Person, model: str) -> dict[str, Any]:
    return next(dict(row) for row in services.models_for(who.caller) if row["model"] == model)


def facts(config: UserLLMConfig, model: str) -> services.ModelFacts:
    return services.facts_of(UserLLMConfig.objects.get(pk=config.pk), model, at=timezone.now())


def test_a_model_that_no_list_holds(alice: Person, bob: Person) -> None:
    config = config_of(alice, model="claude-sonnet-4-5")
    capabilities = {"tools": False, "inputs": ["text", "image", "audio"]}
    row = made(alice, config, label="Ours", context_window=32_000, max_output_tokens=4_000, capabilities=capabilities, price=PRICE)
    shown = row_of(bob, "ft-of-ours")
    assert shown["id"] == f"{config.pk}/ft-of-ours"
    assert (shown["label"], shown["context_window"], shown["max_output_tokens"]) == ("Ours", 32_000, 4_000)
    assert shown["capabilities"]["tools"] is False
    assert shown["capabilities"]["thinking"] is True  # as the provider has it
    assert shown["capabilities"]["inputs"] == ["text", "audio", "image"]
    assert (shown["custom"], shown["hint"]) == (str(row.pk), None)
    unsaid = dict.fromkeys(("cache_read_per_mtok", "cache_write_per_mtok", "cache_write_1h_per_mtok"))
    assert shown["price"] == {"input_per_mtok": "1.5", "output_per_mtok": "6", **unsaid, "currency": "USD", "source": "custom"}


def test_only_what_it_says_outweighs_the_lists(alice: Person) -> None:
    config = config_of(alice, model="claude-sonnet-4-5")
    made(alice, config, "claude-sonnet-4-5", price={**PRICE, "currency": "EUR"})
    shown = row_of(alice, "claude-sonnet-4-5")
    assert (shown["label"], shown["context_window"]) == ("Claude Sonnet 4.5", 200_000)
    assert (shown["price"]["input_per_mtok"], shown["price"]["currency"]) == ("1.5", "EUR")
    row = services.update_custom_model(caller=alice.caller, id=CustomModel.objects.get().pk, price=None, context_window=100_000)
    shown = row_of(alice, "claude-sonnet-4-5")
    assert (shown["price"]["source"], shown["price"]["input_per_mtok"], shown["context_window"]) == ("list", "3", 100_000)
    assert row.currency == "USD"
    services.delete_custom_model(caller=alice.caller, id=row.pk)
    assert row_of(alice, "claude-sonnet-4-5")["context_window"] == 200_000


def test_the_lists_outweigh_the_providers_file(alice: Person) -> None:
    config = config_of(alice)
    entry = {
        "id": "m",
        "label": "M",
        "context_window": 1000,
        "max_output_tokens": 50,
        "capabilities": {"thinking": False, "inputs": ["text"]},
    }
    ModelList.objects.create(config=config, organization=config.organization, entries=[entry], fetched_at=timezone.now())
    known = facts(config, "m")
    assert (known.capabilities.thinking, known.capabilities.inputs) == (False, frozenset())
    assert (known.context_window, known.max_output_tokens, known.label) == (1000, 50, "M")
    made(alice, config, "m", capabilities={"inputs": ["image"]}, max_output_tokens=10)
    known = facts(config, "m")
    assert (known.capabilities.thinking, known.capabilities.inputs, known.max_output_tokens) == (False, frozenset({"image"}), 10)


def cost(config: UserLLMConfig, model: str, usage: Usage) -> services.Cost:
    prices = facts(config, model).prices
    return services.price_attempt(provider_type=config.provider_type, model=model, usage=usage, at=timezone.now(), prices=prices)


@pytest.mark.parametrize(
    ("extra", "usage", "amount"),
    [
        ({}, Usage(1_000_000, 1_000_000), "7.5"),
        ({}, Usage(0, 0, 1_000_000, 1_000_000), "3"),
        ({"cache_read_per_mtok": D("0.15")}, Usage(0, 0, 1_000_000, 1_000_000), "1.65"),
        ({"cache_write_per_mtok": D("1.875")}, Usage(0, 0, 1_000_000, 1_000_000, 500_000), "3.375"),
        ({"cache_write_1h_per_mtok": D(3)}, Usage(0, 0, 1_000_000, 1_000_000, 500_000), "3.75"),
        ({"cache_write_per_mtok": D("1.875"), "cache_write_1h_per_mtok": D(3)}, Usage(0, 0, 0, 1_000_000, 500_000), "2.4375"),
        ({"cache_write_1h_per_mtok": D(3)}, Usage(0, 0, 0, 1_000_000, 9_000_000), "3"),
    ],
)
def test_an_admins_price_is_exact_and_says_whose_it_is(alice: Person, extra: Any, usage: Usage, amount: str) -> None:
    config = config_of(alice)
    row = made(alice, config, "claude-sonnet-4-5", price={**PRICE, **extra})
    found = cost(config, "claude-sonnet-4-5", usage)
    assert (found.amount, found.evidence, found.currency) == (D(amount), "measured", "USD")
    assert found.version == f"custom {row.pk.hex[:8]}@{row.updated_at:%Y-%m-%dT%H:%M:%SZ}"
    assert len(found.version) <= 40  # the ledger's column


def test_without_usage_the_cost_is_unknown_at_any_price(alice: Person) -> None:
    config = config_of(alice)
    made(alice, config, "m", price={**PRICE, "currency": "EUR"})
    found = cost(config, "m", Usage(5))
    assert (found.amount, found.evidence, found.currency, found.version) == (None, "unknown", "EUR", "")


def test_one_row_for_a_model_of_a_config(alice: Person) -> None:
    config, other = config_of(alice), config_of(alice)
    made(alice, config)
    made(alice, other)
    with pytest.raises(Conflict) as conflict:
        made(alice, config)
    assert conflict.value.code == "already_exists"
    assert CustomModel.objects.count() == 2


@pytest.mark.parametrize(
    ("fields", "attr"),
    [
        ({"price": {"input_per_mtok": D(-1), "output_per_mtok": D(1)}}, "price.input_per_mtok"),
        ({"price": {"input_per_mtok": D(1)}}, "price"),
        ({"price": {"cache_read_per_mtok": D(1)}}, "price"),
        ({"price": {**PRICE, "currency": "usd"}}, "price.currency"),
        ({"price": {"input_per_mtok": D(10_000_000), "output_per_mtok": D(1)}}, "price.input_per_mtok"),
        ({"model": " m"}, "model"),
        ({"model": "a\nb"}, "model"),
        ({"model": "m" * 201}, "model"),
    ],
)
def test_what_is_refused(alice: Person, fields: dict[str, Any], attr: str) -> None:
    config = config_of(alice)
    with pytest.raises(Invalid) as refused:
        made(alice, config, **fields)
    assert refused.value.attr == attr
    assert not CustomModel.objects.exists()


def test_only_admins_and_only_for_configs_they_see(alice: Person, bob: Person, mallory: Person) -> None:
    admin = person("carol", alice.organization, Role.ADMIN)
    viewer = person("dave", alice.organization, Role.VIEWER)
    shared, own, of_bob = config_of(alice), config_of(alice, shared=False), config_of(bob, shared=False)
    for who in (bob, viewer):
        with pytest.raises(Forbidden):
            made(who, shared)
    for who, config in ((admin, own), (admin, of_bob), (alice, of_bob), (mallory, shared)):
        with pytest.raises(Invalid) as refused:
            made(who, config)
        assert refused.value.attr == "config"
    with pytest.raises(Invalid):
        services.create_custom_model(caller=alice.caller, config=uuid4(), model="m")
    row, hidden = made(admin, shared, price=PRICE), made(alice, own, "mine")
    with pytest.raises(CustomModel.DoesNotExist):
        services.update_custom_model(caller=mallory.caller, id=row.pk, price=None)
    with pytest.raises(CustomModel.DoesNotExist):
        services.delete_custom_model(caller=mallory.caller, id=row.pk)
    with pytest.raises(CustomModel.DoesNotExist):
        services.delete_custom_model(caller=admin.caller, id=hidden.pk)
    for who in (bob, viewer):
        with pytest.raises(Forbidden):
            services.delete_custom_model(caller=who.caller, id=row.pk)
        assert services.custom_model_for(who.caller, row.pk) == row
        with pytest.raises(CustomModel.DoesNotExist):
            services.custom_model_for(who.caller, hidden.pk)
    assert row_of(bob, "ft-of-ours")["price"]["input_per_mtok"] == "1.5"
    assert "ft-of-ours" not in {each["model"] for each in services.models_for(mallory.caller)}


def test_it_goes_with_its_config(alice: Person) -> None:
    config = config_of(alice)
    made(alice, config)
    services.delete_config(caller=alice.caller, id=config.pk)
    assert not CustomModel.objects.exists()


def test_a_config_without_any_list_stands_for_its_custom_model(alice: Person) -> None:
    config = config_of(alice)
    assert services.default_target(alice.caller) is None
    made(alice, config)
    assert services.default_target(alice.caller) == (config, "ft-of-ours")


def test_larger_models_are_named_with_the_smallest_that_suffice_first(alice: Person, bob: Person) -> None:
    config = config_of(alice, name="Ours")
    for model, window in (("small", 1000), ("huge", 9000), ("large", 3000)):
        made(alice, config, model, context_window=window)
    made(alice, config_of(alice, shared=False), "hidden", context_window=5000)
    made(alice, config, "of unknown size")
    assert services.larger_models(bob.caller, 1000) == ["large (Ours)", "huge (Ours)"]
    assert services.larger_models(bob.caller, 9000) == []
