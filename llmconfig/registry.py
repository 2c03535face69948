"""Finds the providers: every module of `llmconfig.providers` that defines one. Loads no SDK."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, TypeGuard

from llmconfig import providers
from llmconfig.llm import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class UnknownProvider(LookupError):
    """No provider has this slug. The message names those that exist."""


def provider_class(slug: str) -> type[Provider]:
    """Raises UnknownProvider."""
    try:
        return _by_slug()[slug]
    except KeyError:
        known = ", ".join(_by_slug())
        raise UnknownProvider(f"There is no provider {slug!r}. These exist: {known}.") from None


def all_providers() -> Sequence[type[Provider]]:
    """By label, the demo last."""
    return tuple(_by_slug().values())


@cache
def _by_slug() -> Mapping[str, type[Provider]]:
    found = sorted(_found(), key=lambda provider: (provider.is_demo, provider.label.lower()))
    by_slug = {provider.slug: provider for provider in found}
    if len(by_slug) < len(found):
        raise RuntimeError("Two providers share one slug.")
    return by_slug


def _found() -> Iterator[type[Provider]]:
    for module_info in iter_modules(providers.__path__, f"{providers.__name__}."):
        module = import_module(module_info.name)
        for value in vars(module).values():
            if inspect.isclass(value) and value.__module__ == module.__name__ and _is_provider(value):
                yield value


def _is_provider(value: type) -> TypeGuard[type[Provider]]:
    return issubclass(value, Provider) and not inspect.isabstract(value) and hasattr(value, "slug")  # else a base of vendors
