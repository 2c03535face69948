"""Models and prices that admins state themselves: fine-tuned and self-hosted models, deployments, and prices that outweigh the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from llmconfig.models import CustomModel, UserLLMConfig
from llmconfig.services.configs import config_for
from llmconfig.services.facts import price_row, prices_of
from llmconfig.services.pricing import PRICE_NAMES
from llmconfig.tenancy.audit import Actor, record
from llmconfig.tenancy.caller import Action
from llmconfig.tenancy.errors import Conflict, Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from uuid import UUID

    from django.db.models import QuerySet

    from llmconfig.tenancy.caller import Caller


_FACTS: Final = ("label", "context_window", "max_output_tokens", "capabilities")


class Price(TypedDict, total=False):
    """For a million tokens. Input and output are both there; a cache price left out is the input's, of an hour's writes the writes'."""

    input_per_mtok: Decimal
    output_per_mtok: Decimal
    cache_read_per_mtok: Decimal | None
    cache_write_per_mtok: Decimal | None
    cache_write_1h_per_mtok: Decimal | None
    currency: str


class CustomModelFields(TypedDict, total=False):
    """label "", null and an empty `capabilities` leave a fact as the lists have it; price null leaves the list's."""

    label: str
    context_window: int | None
    max_output_tokens: int | None
    capabilities: Mapping[str, Any]
    price: Price | None


def custom_models_for(caller: Caller) -> QuerySet[CustomModel]:
    """Of the configs that the caller sees, newest first."""
    visible = UserLLMConfig.objects.for_caller(caller)
    return CustomModel.objects.for_caller(caller).filter(config__in=visible).select_related("config").order_by("-created_at", "-id")


def custom_model_for(caller: Caller, id: UUID) -> CustomModel:
    """Raises `CustomModel.DoesNotExist`, for a foreign id as for one that never was."""
    return custom_models_for(caller).get(pk=id)


def create_custom_model(*, caller: Caller, config: UUID, model: str, **fields: Unpack[CustomModelFields]) -> CustomModel:
    """For one of the caller's own configs or a shared one. Raises `Forbidden`, `Invalid`, and `Conflict` for a second row on one model."""
    caller.require(Action.SHARE)
    try:
        of = config_for(caller, config)
    except UserLLMConfig.DoesNotExist:
        raise Invalid("There is no such config.", code="unknown_config", attr="config") from None
    if model != model.strip() or not model.isprintable():
        raise Invalid("A model's name is one line without spaces around it.", attr="model")
    row = CustomModel(organization=caller.organization, config=of, model=model)
    _set(row, fields)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            _record("model.created", caller, row, _told(row))
    except IntegrityError:
        raise Conflict(f"“{model}” of {of.name} has a row already. Change that one.", code="already_exists") from None
    return row


def update_custom_model(*, caller: Caller, id: UUID, **fields: Unpack[CustomModelFields]) -> CustomModel:
    """Change what is named. Runs under way keep the price they began with. Raises `Forbidden`, `Invalid`, `DoesNotExist`."""
    caller.require(Action.SHARE)
    with transaction.atomic():
        row = custom_models_for(caller).select_for_update(of=("self",)).get(pk=id)
        before = _told(row)
        _set(row, fields)
        row.save()
        after = _told(row)
        changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
        if changed:
            _record("model.changed", caller, row, changed)
    return row


def delete_custom_model(*, caller: Caller, id: UUID) -> None:
    """What the lists say holds again; costs already recorded stay. Raises `Forbidden`, `DoesNotExist`."""
    caller.require(Action.SHARE)
    with transaction.atomic():
        row = custom_model_for(caller, id)
        CustomModel.objects.filter(pk=row.pk).delete()
        _record("model.deleted", caller, row, _told(row))


def custom_model_row(row: CustomModel) -> dict[str, Any]:
    """As the API shows it. target: what a conversation names."""
    prices = prices_of(row)
    return {
        "id": row.pk,
        "target": f"{row.config_id}/{row.model}",
        "config": row.config_id,
        "config_name": row.config.name,
        "provider": row.config.provider_type,
        "model": row.model,
        "label": row.label,
        "context_window": row.context_window,
        "max_output_tokens": row.max_output_tokens,
        "capabilities": row.capabilities,
        "price": price_row(prices) if prices else None,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _told(row: CustomModel) -> dict[str, Any]:
    """What of it the audit trail tells: what it says of the model, and the prices."""
    prices = prices_of(row)
    price = price_row(prices) if prices else None
    return {name: getattr(row, name) for name in _FACTS} | {"price": price}


def _record(action: str, caller: Caller, row: CustomModel, details: dict[str, Any]) -> None:
    about = ("model", str(row.pk), f"{row.config.name}: {row.model}")
    details = {"config": row.config_id, "model": row.model, **details}
    record(action, actor=Actor.of(caller), organization=caller.organization.pk, object=about, details=details)


def _set(row: CustomModel, fields: CustomModelFields) -> None:
    for name in ("label", "context_window", "max_output_tokens"):
        if name in fields:
            setattr(row, name, fields[name])
    if "capabilities" in fields:
        row.capabilities = dict(fields["capabilities"])
    if "price" in fields:
        price = fields["price"] or {}
        for name in PRICE_NAMES:
            setattr(row, name, price.get(name))
        row.currency = price.get("currency") or "USD"
    _check(row)


def _check(row: CustomModel) -> None:
    """What the API's own fields cannot see, and a service's caller may get wrong: the model's validators and its whole price."""
    try:
        row.clean_fields(exclude=["config", "organization"])
        row.validate_constraints(exclude={"config", "model"})
    except ValidationError as error:
        problems = getattr(error, "message_dict", {"price": error.messages})
        attr, messages = next(iter(problems.items()))
        named = f"price.{attr}" if attr in (*PRICE_NAMES, "currency") else "price" if attr == "__all__" else attr
        raise Invalid(" ".join(messages), attr=named) from None
