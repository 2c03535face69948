"""The app that knows who may call which model with which key, at what cost."""

from __future__ import annotations

import sys
from typing import Final

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


_NOT_FOR_US: Final = ("requests", "django.contrib.postgres")


def _load_rest_framework_lightly() -> None:
    """REST framework imports these where they are installed, for a test client and fields that we do not have: 0.15 s of each start."""
    hidden = [name for name in _NOT_FOR_US if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's way of saying that there is none
    try:
        import rest_framework.compat  # noqa: F401, PLC0415  # now or never without them
    finally:
        for name in hidden:
            del sys.modules[name]
