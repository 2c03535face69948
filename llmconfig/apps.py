"""The app that knows who may call which model with which key, at what cost."""

from __future__ import annotations

import sys

from django.apps import AppConfig


class LLMConfigConfig(AppConfig):
    name = "llmconfig"
    verbose_name = "Providers and organizations"

    def ready(self) -> None:
        _load_rest_framework_lightly()
        from llmconfig import checks  # noqa: F401, PLC0415  # registers itself once apps are loaded
        from llmconfig.services import signin_events  # noqa: PLC0415  # models, too, only exist now
        from llmconfig.tenancy import accounts, shredding  # noqa: PLC0415

        accounts.connect()
        shredding.connect()
        signin_events.connect()


def _load_rest_framework_lightly() -> None:
    """REST framework imports `requests` wherever it is installed, a tenth of a second for the sake of a test client of its own."""
    if "requests" not in sys.modules:
        sys.modules["requests"] = None  # type: ignore[assignment]  # Python's way of saying that there is none
        try:
            import rest_framework.compat  # noqa: F401, PLC0415  # now or never without it
        finally:
            del sys.modules["requests"]
