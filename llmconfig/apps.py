"""The app that knows who may call which model with which key, at what cost."""

from __future__ import annotations

from django.apps import AppConfig


class LLMConfigConfig(AppConfig):
    name = "llmconfig"
    verbose_name = "Providers and organizations"

    def ready(self) -> None:
        from llmconfig import checks  # noqa: F401, PLC0415  # registers itself once apps are loaded
        from llmconfig.tenancy import accounts, shredding  # noqa: PLC0415  # models, too, only exist now

        accounts.connect()
        shredding.connect()
