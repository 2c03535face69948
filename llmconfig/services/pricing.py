"""What a call cost and what a model costs: an admin's price, or the bundled price list's. An unknown price is None, never 0.

The list is genai-prices' snapshot as installed; its updater is never started, so that a price has a version and no call home.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from llmconfig import registry
from llmconfig.llm.prices import rounded
from llmconfig.services.demo import DEMO_SLUG

if TYPE_CHECKING:
    from datetime import datetime

    from llmconfig.llm import TokenPrices, Usage

Evidence: TypeAlias = Literal["measured", "estimated", "unknown"]
CURRENCY: Final = "USD"
PRICE_NAMES: Final = ("input_per_mtok", "output_per_mtok", "cache_read_per_mtok", "cache_write_per_mtok", "cache_write_1h_per_mtok")
"""What a price may name; input and output it must."""
_VERSION = re.compile(r"(?:[-@](?:latest|preview|\d{8}|\d{4}-\d{2}-\d{2}))+$")


@dataclass(frozen=True, slots=True)
class Cost:
    """amount: in `currency`, or None when it cannot be known. version: which price list said so.

    estimated: the list knows the model only by a pattern of names, so the price may be a relative's.
    """

    amount: Decimal | None
    currency: str = CURRENCY
    version: str = ""
    evidence: Evidence = "unknown"


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model of the price list; None where it does not say. Prices are those of the first tier."""

    label: str
    context_window: int | None
    input_per_mtok: Decimal | None
    output_per_mtok: Decimal | None
    cache_read_per_mtok: Decimal | None = None
    cache_write_per_mtok: Decimal | None = None
    cache_write_1h_per_mtok: Decimal | None = None

    def price(self) -> dict[str, str | None] | None:
        """Decimal strings for a million tokens; None without a price for both input and output."""
        if self.input_per_mtok is None or self.output_per_mtok is None:
            return None
        return {name: plain(getattr(self, name)) for name in PRICE_NAMES} | {"currency": CURRENCY, "source": "list"}


def plain(amount: Decimal | None) -> str | None:
    """Without exponent or idle zeros."""
    return None if amount is None else f"{amount.normalize():f}"


def price_attempt(
    *, provider_type: str, model: str, usage: Usage, at: datetime, base_url: str = "", prices: TokenPrices | None = None
) -> Cost:
    """at: when the request was sent; prices change over time. base_url tells who an OpenAI-compatible server is.

    prices: an admin's for this very model, which outweigh the list and are exact.
    """
    if prices is not None:
        return _by_admin(prices, usage)
    if provider_type == DEMO_SLUG:
        return Cost(Decimal(0), version="demo", evidence="measured")
    found = _find(provider_type, model, base_url)
    if found is None or not usage.is_known:
        return Cost(None)
    provider, listed = found
    if _price(listed, "input_mtok", at) is None or _price(listed, "output_mtok", at) is None:
        return Cost(None)
    calculated = listed.calc_price(_billed(usage), provider, genai_request_timestamp=at)
    evidence: Evidence = "measured" if _plain_name(model) == _plain_name(str(listed.id)) else "estimated"
    return Cost(rounded(calculated.total_price), version=_version(), evidence=evidence)


def _by_admin(prices: TokenPrices, usage: Usage) -> Cost:
    amount = prices.cost(usage)
    if amount is None:
        return Cost(None, currency=prices.currency)
    return Cost(amount, currency=prices.currency, version=prices.version, evidence="measured")


@cache
def _version() -> str:
    """Read from the package's metadata on disk."""
    return f"genai-prices {version('genai-prices')}"


def look_up(provider_type: str, model: str, *, at: datetime, base_url: str = "") -> ListedModel | None:
    if provider_type == DEMO_SLUG:
        return ListedModel("Demo model", None, Decimal(0), Decimal(0))
    found = _find(provider_type, model, base_url)
    if found is None:
        return None
    listed = found[1]
    prices = (_price(listed, name.replace("_per_", "_"), at) for name in PRICE_NAMES)
    return ListedModel(listed.name or model, listed.context_window, *prices)


def preload_prices() -> None:
    """Read the price list; half a second the first time, so never on an event loop."""
    import_module("genai_prices.data_snapshot").get_snapshot()


def _find(provider_type: str, model: str, base_url: str) -> tuple[Any, Any] | None:
    """(provider, model) of the price list; by base URL where the provider type is only a protocol."""
    listed_as = _listed_as(provider_type)
    if not model or (listed_as is None and not base_url):
        return None
    return _found(listed_as, model, "" if listed_as else base_url)


@lru_cache(maxsize=8192)
def _found(listed_as: str | None, model: str, base_url: str) -> tuple[Any, Any] | None:
    """A name that the list does not hold takes a third of a millisecond to miss, and lists of models have hundreds of those."""
    snapshot = import_module("genai_prices.data_snapshot").get_snapshot()  # half a second, so not at start
    try:
        found: tuple[Any, Any] = snapshot.find_provider_model(model, None, listed_as, base_url or None)
    except LookupError:
        return None
    return found


def _listed_as(provider_type: str) -> str | None:
    try:
        return registry.provider_class(provider_type).price_list or None
    except LookupError:  # a provider that this version no longer has
        return None


def _plain_name(model: str) -> str:
    """Without vendor prefix, date and `-latest`: the same model under its other names."""
    return _VERSION.sub("", model.rpartition("/")[2].lower())


def _price(listed: Any, name: str, at: datetime) -> Decimal | None:
    if not listed.prices:
        return None
    price = getattr(listed.get_prices(at), name, None)
    base: Decimal | None = getattr(price, "base", price)
    return base


def _billed(usage: Usage) -> Any:
    """Our buckets are disjoint; the price list's input includes cache reads and writes. A share beyond its whole would be refused."""
    reads, writes = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    heard_again = min(usage.cache_read_audio_tokens or 0, reads)
    counts = {
        "input_tokens": (usage.input_tokens or 0) + reads + writes,
        "output_tokens": usage.output_tokens or 0,
        "cache_read_tokens": reads,
        "cache_write_tokens": writes,
        "cache_write_1h_tokens": min(usage.cache_write_1h_tokens or 0, writes),
    }
    if heard := min(usage.audio_tokens or 0, usage.input_tokens or 0) + heard_again:
        counts |= {"input_audio_tokens": heard, "cache_audio_read_tokens": heard_again, "cache_audio_write_tokens": 0}
    return import_module("genai_prices").Usage(**counts)
