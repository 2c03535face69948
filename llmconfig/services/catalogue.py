"""The models a caller may use: what each config's provider listed, joined with the price list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict
from uuid import UUID

from django.utils import timezone

from llmconfig.models import MAX_MODEL_LENGTH, UserLLMConfig
from llmconfig.services import policy
from llmconfig.services.configs import config_for, configs_for
from llmconfig.services.demo import DEMO_SLUG
from llmconfig.services.facts import KnownModels, entries_of
from llmconfig.services.model_lists import ask_for_refresh
from llmconfig.tenancy.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from django.db.models import QuerySet

    from llmconfig.tenancy.caller import Caller


class ModelRow(TypedDict):
    """A row of GET /api/models. config: the config's id; price: decimal strings for a million tokens, or null.

    custom: the id of an admin's own row on this model. hint: why it may no longer answer.
    fetched_at: when the provider last listed its models.
    """

    id: str
    provider: str
    model: str
    label: str
    context_window: int | None
    max_output_tokens: int | None
    capabilities: dict[str, Any]
    price: dict[str, str | None] | None
    config: str
    config_name: str
    custom: str | None
    hint: str | None
    fetched_at: datetime | None


def models_for(caller: Caller) -> list[ModelRow]:
    """Models of every enabled config, own ones first. A config that was never tested offers the model it names.

    Answers from what is stored; lists that have grown old are fetched anew in the background.
    """
    configs = _usable(caller)
    ask_for_refresh(configs)
    return _rows_of(caller, configs)


def larger_models(caller: Caller, window: int) -> list[str]:
    """Names of models that read more than `window` tokens, as a person would look for them; the smallest that suffice first."""
    fitting = [row for row in _rows_of(caller, _usable(caller)) if (row["context_window"] or 0) > window and not row["hint"]]
    fitting.sort(key=lambda row: row["context_window"] or 0)
    return list(dict.fromkeys(f"{row['model']} ({row['config_name']})" for row in fitting))


def _enabled(caller: Caller) -> QuerySet[UserLLMConfig]:
    return configs_for(caller).filter(is_enabled=True).select_related("model_list").prefetch_related("custom_models")


def _usable(caller: Caller) -> list[UserLLMConfig]:
    allowed = [config for config in _enabled(caller) if policy.refusal_for(caller, config) is None]
    return sorted(allowed, key=lambda config: (config.owner_id is None, config.provider_type == DEMO_SLUG, -config.priority))


def _rows_of(caller: Caller, configs: Iterable[UserLLMConfig]) -> list[ModelRow]:
    now = timezone.now()
    rows = (row for config in configs for row in _rows(config, now))
    return [row for row in rows if policy.is_model_allowed(caller.organization, row["provider"], row["model"])]


def resolve_target(caller: Caller, model_id: str) -> tuple[UserLLMConfig, str]:
    """`<config id>/<model>` to config and model. Raises `Invalid` (attr `target`) for one that is not the caller's to use
    (`unknown_model`, `config_disabled`, `policy_forbidden`)."""
    config_id, _, model = model_id.partition("/")
    try:
        config = config_for(caller, UUID(config_id))
    except (ValueError, UserLLMConfig.DoesNotExist):
        raise Invalid("There is no such model. GET /api/models lists yours.", code="unknown_model", attr="target.model") from None
    if not model or len(model) > MAX_MODEL_LENGTH:
        raise Invalid("A model is named “<config id>/<model>”.", code="unknown_model", attr="target.model")
    if not config.is_enabled:
        raise Invalid(f"The config “{config.name}” is disabled.", code="config_disabled", attr="target.model")
    if refused := policy.refusal_for(caller, config, model):
        raise Invalid(refused.words, code=policy.CODE, attr="target.model")
    return config, model


def default_target(caller: Caller) -> tuple[UserLLMConfig, str] | None:
    """The caller's default config, else the organization's, else the first with a model (own, shared, demo last); else None."""
    usable = [(config, model) for config in _enabled(caller) if (model := _allowed_model(caller, config))]
    usable.sort(key=lambda each: (not each[0].is_default, each[0].owner_id is None, each[0].provider_type == DEMO_SLUG, -each[0].priority))
    return usable[0] if usable else None


def _allowed_model(caller: Caller, config: UserLLMConfig) -> str:
    """The model that the config stands for, else the first of its others that the policy allows; else ""."""
    if policy.refusal_for(caller, config):
        return ""
    names = [config.model] if config.model else [*entries_of(config), *(row.model for row in config.custom_models.all())]
    return next((name for name in names if policy.refusal_for(caller, config, name) is None), "")


def model_of(config: UserLLMConfig) -> str:
    """The model a config stands for: the one it names, else the first that its provider listed, else an admin's first; else ""."""
    if config.model:
        return config.model
    entries = entries_of(config)
    if entries:
        return next(iter(entries))
    return next((row.model for row in config.custom_models.all()), "")


def _rows(config: UserLLMConfig, at: datetime) -> Iterator[ModelRow]:
    try:
        known = KnownModels(config)
    except Invalid:
        return
    for model in known.names():
        yield _row(known, model, at)


def _row(known: KnownModels, model: str, at: datetime) -> ModelRow:
    config, facts, custom = known.config, known.facts(model, at=at), known.custom.get(model)
    return ModelRow(
        id=f"{config.pk}/{model}",
        provider=known.provider.slug,
        model=model,
        label=facts.label,
        context_window=facts.context_window,
        max_output_tokens=facts.max_output_tokens,
        capabilities=facts.capabilities.as_dict(),
        price=facts.price(),
        config=str(config.pk),
        config_name=config.name,
        custom=str(custom.pk) if custom else None,
        hint=known.hint(model),
        fetched_at=config.model_list.fetched_at if hasattr(config, "model_list") else None,
    )
