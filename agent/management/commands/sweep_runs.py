"""`manage.py sweep_runs`: ring again for runs that no worker holds, as beat does every few seconds."""

from __future__ import annotations

from typing import Any

from agent.services.claims import sweep
from llmconfig.management.judging import JudgingCommand


class Command(JudgingCommand):
    help = "Nudge runs whose worker was lost or whose message never arrived, and close approvals whose time is over."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{sweep()} runs nudged")
