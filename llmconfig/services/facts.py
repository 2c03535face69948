"""What is known of the models behind one config: what they can do, how much they read and write, what they cost.

In the order of who outweighs whom: the admin, the config's options, the provider's list as last read, the price list, the provider's file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from llmconfig.llm import Capabilities, TokenPrices
from llmconfig.models import MAX_MODEL_LENGTH
from llmconfig.services.fields import provider_of
from llmconfig.services.pricing import PRICE_NAMES, ListedModel, look_up, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from llmconfig.llm import ModelInfo
    from llmconfig.models import CustomModel, UserLLMConfig


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """context_window and max_output_tokens: tokens, None where nobody says. underlying: the vendor's name of the model, for its price.

    prices: an admin's, which outweigh the price list's, here `listed`.
    """

    capabilities: Capabilities
    underlying: str
    label: str = ""
    context_window: int | None = None
    max_output_tokens: int | None = None
    prices: TokenPrices | None = None
    listed: ListedModel | None = None

    def price(self) -> dict[str, str | None] | None:
        """As GET /api/models shows it: decimal strings for a million tokens; None where nobody knows."""
        if self.prices is None:
            return self.listed.price() if self.listed else None
        return price_row(self.prices)


def price_row(prices: TokenPrices) -> dict[str, str | None]:
    return {name: plain(getattr(prices, name)) for name in PRICE_NAMES} | {"currency": prices.currency, "source": "custom"}


def facts_of(config: UserLLMConfig, model: str, *, at: datetime) -> ModelFacts:
    """Of one model, which no list need hold. Raises `Invalid` for a provider that is not there."""
    return KnownModels(config).facts(model, at=at)


class KnownModels:
    """Of one config; read with `model_list` and `custom_models` fetched ahead, it asks the database for nothing. Raises `Invalid`."""

    def __init__(self, config: UserLLMConfig) -> None:
        self.config, self.provider = config, provider_of(config.provider_type)
        self.entries = entries_of(config)
        self.custom: Mapping[str, CustomModel] = {row.model: row for row in config.custom_models.all()}

    def names(self) -> Sequence[str]:
        """What the config names and no list holds, what the provider lists, an admin's own, what the provider listed once."""
        now = [name for name, entry in self.entries.items() if "gone_since" not in entry]
        named = [self.config.model] if self.config.model and self.config.model not in self.entries else []
        return list(dict.fromkeys([*named, *now, *self.custom, *self.entries]))

    def facts(self, model: str, *, at: datetime) -> ModelFacts:
        custom = self.custom.get(model)
        entry = {**self.entries.get(model, {}), **_stated(self.provider.stated(model, self.config.options))}
        underlying = self.provider.underlying_model(model, self.config.options)
        listed = look_up(self.provider.slug, underlying, at=at, base_url=self.config.base_url)
        capabilities = self.provider.capabilities_of(underlying)
        for said in (entry.get("capabilities"), custom and custom.capabilities):
            if isinstance(said, dict):
                capabilities = Capabilities.from_dict(said, beneath=capabilities)
        return ModelFacts(
            capabilities=capabilities,
            underlying=underlying,
            label=(custom and custom.label) or entry.get("label") or (listed.label if listed else "") or model,
            context_window=(custom and custom.context_window) or entry.get("context_window") or (listed.context_window if listed else None),
            max_output_tokens=(custom and custom.max_output_tokens) or entry.get("max_output_tokens"),
            prices=prices_of(custom) if custom else None,
            listed=listed,
        )

    def hint(self, model: str) -> str | None:
        """What a person should know before choosing a model that its provider does not list; it can be used all the same."""
        if model in self.custom or not self.entries:
            return None
        entry = self.entries.get(model)
        if entry is None:
            return f"{self.provider.label} does not list this model. It may still answer."
        if "gone_since" in entry:
            return f"{self.provider.label} has not listed this model any more since {entry['gone_since'][:10]}. It may have been retired."
        return None


def _stated(info: ModelInfo | None) -> dict[str, Any]:
    """In the shape of a list's entry; what is not said is left out."""
    if info is None:
        return {}
    entry = asdict(info) | {"capabilities": info.capabilities and info.capabilities.as_dict()}
    return {name: value for name, value in entry.items() if value}


def entries_of(config: UserLLMConfig) -> dict[str, dict[str, Any]]:
    """What the provider listed when it was last asked, by model, in its order; what has gone comes last."""
    entries = config.model_list.entries if hasattr(config, "model_list") else []
    return {entry["id"]: entry for entry in entries if len(entry["id"]) <= MAX_MODEL_LENGTH}


def prices_of(row: CustomModel) -> TokenPrices | None:
    if row.input_per_mtok is None or row.output_per_mtok is None:
        return None
    return TokenPrices(
        row.input_per_mtok,
        row.output_per_mtok,
        row.cache_read_per_mtok,
        row.cache_write_per_mtok,
        cache_write_1h_per_mtok=row.cache_write_1h_per_mtok,
        currency=row.currency,
        version=f"custom {row.pk.hex[:8]}@{row.updated_at:%Y-%m-%dT%H:%M:%SZ}",
    )
