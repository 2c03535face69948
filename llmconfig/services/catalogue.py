"""The models a caller may use: what each config's provider listed, joined with the price list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, cast
from uuid import UUID

from django.utils import timezone

from llmconfig.models import MAX_MODEL_LENGTH, UserLLMConfig
from llmconfig.services.configs import config_for, configs_for
from llmconfig.services.demo import DEMO_SLUG
from llmconfig.services.facts import facts_of
from llmconfig.services.fields import provider_of
from llmconfig.services.pricing import look_up
from llmconfig.tenancy.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from llmconfig.llm import Provider
    from llmconfig.tenancy.caller import Caller


class ModelRow(TypedDict):
    """A row of GET /api/models. config: the config's id; price: decimal strings for a million tokens, or null."""

    id: str
    provider: str
    model: str
    label: str
    context_window: int | None
    capabilities: dict[str, Any]
    price: dict[str, str] | None
    config: str
    config_name: str


def models_for(caller: Caller) -> list[ModelRow]:
    """Models of every enabled config, own ones first. A config that was never tested offers the model it names."""
    configs = configs_for(caller).filter(is_enabled=True).select_related("model_list")
    ordered = sorted(configs, key=lambda config: (config.owner_id is None, config.provider_type == DEMO_SLUG, -config.priority))
    now = timezone.now()
    return [row for config in ordered for row in _rows(config, now)]


def resolve_target(caller: Caller, model_id: str) -> tuple[UserLLMConfig, str]:
    """`<config id>/<model>` to config and model. Raises `Invalid` (attr `target`) for one that is not the caller's to use."""
    config_id, _, model = model_id.partition("/")
    try:
        config = config_for(caller, UUID(config_id))
    except (ValueError, UserLLMConfig.DoesNotExist):
        raise Invalid("There is no such model. GET /api/models lists yours.", code="unknown_model", attr="target.model") from None
    if not model or len(model) > MAX_MODEL_LENGTH:
        raise Invalid("A model is named “<config id>/<model>”.", code="unknown_model", attr="target.model")
    if not config.is_enabled:
        raise Invalid(f"The config “{config.name}” is disabled.", code="config_disabled", attr="target.model")
    return config, model


def default_target(caller: Caller) -> tuple[UserLLMConfig, str] | None:
    """The caller's default config, else the organization's, else the first with a model (own, shared, demo last); else None."""
    usable = [config for config in configs_for(caller).filter(is_enabled=True).select_related("model_list") if model_of(config)]
    usable.sort(key=lambda each: (not each.is_default, each.owner_id is None, each.provider_type == DEMO_SLUG, -each.priority))
    return (usable[0], model_of(usable[0])) if usable else None


def model_of(config: UserLLMConfig) -> str:
    """The model a config stands for: the one it names, else the first that its provider listed; "" before any test."""
    if config.model:
        return config.model
    listed = _listed(config)
    return str(listed[0]["id"]) if listed else ""


def _listed(config: UserLLMConfig) -> list[dict[str, Any]]:
    entries = config.model_list.entries if hasattr(config, "model_list") else []
    return [entry for entry in entries if len(entry["id"]) <= MAX_MODEL_LENGTH]


def _rows(config: UserLLMConfig, at: datetime) -> Iterator[ModelRow]:
    try:
        provider = provider_of(config.provider_type)
    except Invalid:
        return
    listed = _listed(config)
    if config.model and all(entry["id"] != config.model for entry in listed):
        listed = [{"id": config.model}, *listed]
    for entry in listed:
        yield _row(config, provider, entry, at)


def _row(config: UserLLMConfig, provider: type[Provider], entry: dict[str, Any], at: datetime) -> ModelRow:
    model = cast("str", entry["id"])
    facts = facts_of(config, model, at=at)
    priced = look_up(provider.slug, facts.underlying, at=at, base_url=config.base_url)
    return ModelRow(
        id=f"{config.pk}/{model}",
        provider=provider.slug,
        model=model,
        label=facts.label,
        context_window=facts.context_window,
        capabilities=facts.capabilities.as_dict(),
        price=priced.price() if priced else None,
        config=str(config.pk),
        config_name=config.name,
    )
