"""The stored lists of models: how a new one replaces the old, when one has grown old, and who is asked to fetch it anew."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.module_loading import import_string

from llmconfig.models import MAX_MODEL_LENGTH, ConfigStatus, ModelList, UserLLMConfig
from llmconfig.services.demo import DEMO_SLUG

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmconfig.llm import ModelInfo

logger = logging.getLogger(__name__)
ASKED_AGAIN_AFTER: Final = timedelta(minutes=15)
"""A list that could not be fetched, or whose worker was lost, is asked for again no sooner."""
GONE_AFTER: Final = timedelta(days=30)
"""So long a model that its provider no longer lists is still offered, with a hint."""
MAX_MODELS: Final = 5000
"""Of one config. The longest list known has some hundreds; every look at the models of an organization reads all of them."""
_MAX_LABEL: Final = 200
_MAX_TOKENS: Final = 2**31 - 1
_WORTH_ASKING: Final = frozenset({ConfigStatus.UNTESTED, ConfigStatus.VALID, ConfigStatus.QUOTA_EXHAUSTED})


def model_entries(models: Sequence[ModelInfo]) -> list[dict[str, Any]]:
    """In the provider's order, each once, as many as are kept. The last is one of them: where it was looked up by name, it stands there."""
    found = list({each.id: each for each in models if len(each.id) <= MAX_MODEL_LENGTH}.values())
    if len(found) > MAX_MODELS:
        found[MAX_MODELS - 1 :] = found[-1:]
    return [
        {
            "id": each.id,
            "label": each.label[:_MAX_LABEL],
            "context_window": _tokens(each.context_window),
            "max_output_tokens": _tokens(each.max_output_tokens),
            "capabilities": each.capabilities.as_dict() if each.capabilities else None,
        }
        for each in found
    ]


def _tokens(said: int | None) -> int | None:
    """Unknown where it is beyond reason."""
    return said if said is not None and said <= _MAX_TOKENS else None


def store_list(config: UserLLMConfig, models: Sequence[ModelInfo]) -> bool:
    """Keep what the provider listed. False when the config's key or address has changed since it was asked, or the config is gone."""
    with transaction.atomic():
        asked = UserLLMConfig.objects.filter(pk=config.pk, secret_version=config.secret_version, base_url=config.base_url)
        if not asked.select_for_update().exists():
            return False
        before = ModelList.objects.filter(config=config).first()
        now = timezone.now()
        same_place = before is not None and before.base_url == config.base_url
        entries = _with_the_gone(model_entries(models), before.entries if before and same_place else [], now)
        fields = {"organization_id": config.organization_id, "entries": entries, "fetched_at": now, "base_url": config.base_url}
        ModelList.objects.update_or_create(config=config, defaults=fields)
    return True


def _with_the_gone(entries: list[dict[str, Any]], before: Iterable[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    listed = {entry["id"] for entry in entries}
    gone = ({"gone_since": now.isoformat()} | entry for entry in before if entry["id"] not in listed)
    remembered = [entry for entry in gone if datetime.fromisoformat(entry["gone_since"]) > now - GONE_AFTER]
    return (entries + remembered)[:MAX_MODELS]


def ask_for_refresh(configs: Iterable[UserLLMConfig]) -> None:
    """Ask a worker to fetch the lists that have grown old. One UPDATE at most, and only one asks however many requests come at once.

    configs: with `model_list` selected. Where the broker is away nothing happens; the next request after a while asks again.
    """
    now = timezone.now()
    due = [config.pk for config in configs if _is_old(config, now) and not _was_asked(config, now)]
    if not due:
        return
    unasked = Q(models_asked_at=None) | Q(models_asked_at__lt=now - ASKED_AGAIN_AFTER)
    if UserLLMConfig.objects.filter(unasked, pk__in=due).update(models_asked_at=now):
        transaction.on_commit(lambda: _ring([str(pk) for pk in due]))


def _is_old(config: UserLLMConfig, now: datetime) -> bool:
    if not settings.MODELS_REFRESH_S or config.provider_type == DEMO_SLUG or config.status not in _WORTH_ASKING:
        return False
    fetched_at = config.model_list.fetched_at if hasattr(config, "model_list") else None
    return fetched_at is None or now - fetched_at > timedelta(seconds=settings.MODELS_REFRESH_S)


def _was_asked(config: UserLLMConfig, now: datetime) -> bool:
    return config.models_asked_at is not None and now - config.models_asked_at < ASKED_AGAIN_AFTER


def _ring(ids: list[str]) -> None:
    try:
        import_string(settings.CELERY_APP).send_task("llmconfig.tasks.refresh_model_lists", (ids,), ignore_result=True)
    except Exception:  # noqa: BLE001  # the broker is away: whatever it raises, the stored lists serve
        logger.warning("Lists of models have grown old but the broker could not be told; the next request after a while tries again.")
