"""What is known of one model behind one config: what it can do and how much it reads and writes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from llmconfig.llm import Capabilities
from llmconfig.services.fields import provider_of
from llmconfig.services.pricing import look_up

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from llmconfig.llm import ModelInfo
    from llmconfig.models import UserLLMConfig


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """context_window and max_output_tokens: tokens, None where nobody says. underlying: the vendor's name of the model, for its price."""

    capabilities: Capabilities
    underlying: str
    label: str = ""
    context_window: int | None = None
    max_output_tokens: int | None = None


def facts_of(config: UserLLMConfig, model: str, *, at: datetime) -> ModelFacts:
    """From the provider's own list as it was last read, then from what its file and the price list know. Raises `Invalid`."""
    provider = provider_of(config.provider_type)
    underlying = provider.underlying_model(model, config.options)
    entry = {**_entry(config, model), **_stated(provider.stated(model, config.options))}
    listed = look_up(provider.slug, underlying, at=at, base_url=config.base_url)
    known = provider.capabilities_of(underlying)
    said = entry.get("capabilities")
    return ModelFacts(
        capabilities=Capabilities.from_dict(said, beneath=known) if isinstance(said, dict) else known,
        underlying=underlying,
        label=entry.get("label") or (listed.label if listed else "") or model,
        context_window=entry.get("context_window") or (listed.context_window if listed else None),
        max_output_tokens=entry.get("max_output_tokens"),
    )


def _stated(info: ModelInfo | None) -> dict[str, Any]:
    """In the shape of a list's entry; what is not said is left out."""
    if info is None:
        return {}
    entry = asdict(info) | {"capabilities": info.capabilities and info.capabilities.as_dict()}
    return {name: value for name, value in entry.items() if value}


def _entry(config: UserLLMConfig, model: str) -> Mapping[str, Any]:
    entries = config.model_list.entries if hasattr(config, "model_list") else []
    return next((entry for entry in entries if entry["id"] == model), {})
