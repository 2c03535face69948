"""Who depends on a config: what stops, or goes on otherwise, when its key is replaced, disabled or deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Max, Q, Sum
from django.utils import timezone

from agent.models import Attempt, Conversation, Run
from llmconfig.services import config_for
from llmconfig.tenancy.caller import Action, allows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from llmconfig.tenancy.caller import Caller

WINDOW: Final = timedelta(days=30)
_NAMED: Final = 20
"""Of the caller's own conversations, and of people."""


@dataclass(frozen=True, slots=True)
class Dependents:
    """Counts of the last 30 days, but for `conversations`, which point at the config now, and `active_runs`.

    own: the caller's conversations among them, newest first; the others' are counted alone. names: of the people, for who may see all
    usage; None for everyone else. costs: by currency; unknown_cost: how many requests have none that is known.
    """

    conversations: int
    own: Sequence[Conversation]
    people: int
    names: Sequence[str] | None
    active_runs: int
    requests: int
    costs: Mapping[str, Decimal]
    unknown_cost: int
    last_used_at: datetime | None


def dependents_of(*, caller: Caller, id: UUID) -> Dependents:
    """A fixed number of queries. Raises `DoesNotExist`."""
    config = config_for(caller, id)
    since = timezone.now() - WINDOW
    pointing = Conversation.objects.filter(config=config)
    attempts = Attempt.objects.filter(config=config, created_at__gte=since)
    runs = Run.objects.filter(config=config)
    recent = runs.filter(created_at__gte=since, user__isnull=False)
    sums = list(attempts.values("currency").order_by("currency").annotate(amount=Sum("cost"), requests=Count("id"), unknown=_UNKNOWN))
    return Dependents(
        conversations=pointing.count(),
        own=list(pointing.filter(owner=caller.user).order_by("-updated_at")[:_NAMED]),
        people=recent.values("user").distinct().count(),
        names=_names(recent) if allows(caller, Action.SEE_ALL_USAGE) else None,
        active_runs=runs.filter(status__in=Run.ACTIVE).count(),
        requests=sum(row["requests"] for row in sums),
        costs={row["currency"]: row["amount"] for row in sums if row["amount"] is not None},
        unknown_cost=sum(row["unknown"] for row in sums),
        last_used_at=Attempt.objects.filter(config=config).aggregate(last=Max("created_at"))["last"],
    )


_UNKNOWN: Final = Count("id", filter=Q(cost__isnull=True))


def _names(recent: Any) -> list[str]:
    return list(recent.values_list("user__username", flat=True).order_by("user__username").distinct()[:_NAMED])
