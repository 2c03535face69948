"""What our commands have in common: each says at its start when the KEK does not fit the data."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand


class JudgingCommand(BaseCommand):
    """Runs the checks of the database, too, as `migrate` does; `checks.kek_fits` is one of them."""

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        kwargs: dict[Any, Any] = super().get_check_kwargs(options)
        return {**kwargs, "databases": ["default"]}
