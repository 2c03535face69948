"""The app that holds conversations, runs and MCP services."""

from __future__ import annotations

from django.apps import AppConfig


class AgentConfig(AppConfig):
    name = "agent"
    verbose_name = "Conversations and services"

    def ready(self) -> None:
        from agent.services import departures  # noqa: PLC0415  # models only exist now

        departures.connect()
