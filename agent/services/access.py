"""What a run needs to go on: a person who may run agents, the token it was started with, and a provider that is still theirs to use.

Asked of all runs of a process at once, with every heartbeat; of one run at its claim; of those that wait, by the sweep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Case, Exists, F, OuterRef, Q, Value, When

from llmconfig.tenancy.caller import Action
from llmconfig.tenancy.models import ApiToken, Membership

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from django.db.models import QuerySet

    from agent.models import Run

REVOKED: Final = "access_revoked"
NO_PERSON: Final = "Whoever started this run may no longer run agents in this organization."
NO_TOKEN: Final = "The API token that started this run was revoked."  # noqa: S105  # no token
NO_CONFIG: Final = "The provider that this run uses was deleted, disabled, or is no longer shared. Choose another model."

_MEMBERS = Membership.objects.filter(
    user=OuterRef("user"), organization=OuterRef("organization"), user__is_active=True, role__in=Action.RUN.roles
)
_TOKENS = ApiToken.objects.filter(pk=OuterRef("token"))
_USABLE = Q(config__is_enabled=True, config__organization=F("organization")) & (Q(config__owner=None) | Q(config__owner=F("user")))


def revoked(runs: QuerySet[Run]) -> Mapping[UUID, str]:
    """Those of these runs that may not go on, and why, in words. One query."""
    asked = runs.annotate(
        has_person=_holds(Exists(_MEMBERS)), has_token=_holds(Q(token=None) | Exists(_TOKENS)), has_config=_holds(_USABLE)
    )
    lost = asked.filter(Q(has_person=False) | Q(has_token=False) | Q(has_config=False)).values_list("id", "has_person", "has_token")
    return {id: _why(has_person, has_token) for id, has_person, has_token in lost}


def _holds(condition: Any) -> Case:
    """Never null: what is unknown does not hold."""
    return Case(When(condition, then=Value(True)), default=Value(False))


def _why(has_person: bool, has_token: bool) -> str:
    if not has_person:
        return NO_PERSON
    return NO_CONFIG if has_token else NO_TOKEN
