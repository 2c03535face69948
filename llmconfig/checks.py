"""A system check: does the KEK fit the data? A restored backup under another KEK is told at start, and overwrites nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.checks import Tags, Warning, register

if TYPE_CHECKING:
    from collections.abc import Sequence

UNREADABLE_KEK = "llmconfig.W001"


@register(Tags.database)
def kek_fits(databases: Sequence[str] | None = None, **kwargs: Any) -> list[Warning]:
    """Runs with `check --database default` and before `migrate`; other starts call it through `services.kek_problem`."""
    if not databases:
        return []
    from llmconfig.services.canary import kek_problem  # noqa: PLC0415  # models are ready only now

    problem = kek_problem()
    return [Warning(problem, hint="Restore the KEK that this data was made with.", id=UNREADABLE_KEK)] if problem else []
