"""Fetches lists of models anew: one as a person asks, many in a worker as they grow old. Network; never in a transaction."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmconfig.llm import ModelInfo, ModelNotFound, ProviderError
from llmconfig.models import UserLLMConfig
from llmconfig.services.configs import config_for
from llmconfig.services.connection import ConnectionResult, ask, ask_all, ready
from llmconfig.services.facts import entries_of
from llmconfig.services.model_lists import store_list
from llmconfig.tenancy.audit import SYSTEM, Actor
from llmconfig.tenancy.connection import release_connection

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from llmconfig.llm import Provider
    from llmconfig.services.connection import Work
    from llmconfig.tenancy.caller import Caller

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """fetched_at and models (how many are listed) are those of the stored list: the new one, or the old one where it went wrong."""

    result: ConnectionResult
    fetched_at: datetime | None
    models: int


def refresh_models(*, caller: Caller, id: UUID) -> Refreshed:
    """Fetch the list of one config now, within the deadline of a connection test. Its status stays what the last test said."""
    config = config_for(caller, id)
    opened = ready(config, purpose="models", actor=Actor.of(caller))
    result = opened if isinstance(opened, ConnectionResult) else ask(*opened, work=_listing(config.model), who=str(caller.user.pk))
    if result.ok:
        store_list(config, result.models)
    stored = config_for(caller, id)
    listed = getattr(stored, "model_list", None)
    current = [entry for entry in listed.entries if "gone_since" not in entry] if listed else []
    return Refreshed(result, listed.fetched_at if listed else None, len(current))


def refresh_model_lists(ids: Sequence[UUID]) -> int:
    """Fetch the lists of these configs, all at once, so that they take one deadline together. How many were stored."""
    configs = list(UserLLMConfig.objects.filter(pk__in=ids, is_enabled=True).select_related("model_list", "organization"))
    asked = ((config, ready(config, purpose="models", actor=SYSTEM)) for config in configs)
    openable = [(config, opened) for config, opened in asked if not isinstance(opened, ConnectionResult)]
    release_connection()  # nobody waits for somebody else's server with one in hand
    results = ask_all([(*opened, _listing_alone(_looked_up(config))) for config, opened in openable])
    stored = 0
    for (config, _), result in zip(openable, results, strict=True):
        if result.ok:
            stored += store_list(config, result.models)
        else:
            logger.info("The models of config %s could not be listed: %s", config.pk, result.error_kind)
    return stored


def _listing(model: str) -> Work:
    """Lists the models; the one that the config names is looked up by its name where the list leaves it out, as a test does."""

    async def work(client: Provider) -> Sequence[ModelInfo]:
        listed = await client.list_models()
        if not model or any(info.id == model for info in listed):
            return listed
        try:
            return await client.check(model)
        except ModelNotFound:
            return listed
        except ProviderError:
            return [*listed, ModelInfo(model)]  # nobody said that it has gone

    return work


def _listing_alone(kept: str) -> Work:
    """Lists the models and looks none up: with some vendors that takes an answer, and nobody has asked for one. kept: stays listed."""

    async def work(client: Provider) -> Sequence[ModelInfo]:
        listed = await client.list_models()
        return [*listed, ModelInfo(kept)] if kept and all(info.id != kept for info in listed) else listed

    return work


def _looked_up(config: UserLLMConfig) -> str:
    """The model that the config names, if its entry says nothing of it, as that of one which was looked up; else ""."""
    entry = entries_of(config).get(config.model, {"label": "?"})
    said = [name for name in ("label", "context_window", "max_output_tokens", "capabilities", "gone_since") if entry.get(name)]
    return "" if said else config.model
