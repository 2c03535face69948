"""System checks. Does the KEK fit the data? A restored backup under another one is told at start, and overwrites nothing.
And does every REST view say what its methods do? One that does not is refused to everyone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.checks import Error, Tags, Warning, register

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

UNREADABLE_KEK = "llmconfig.W001"
UNDECLARED = "llmconfig.E001"


@register(Tags.database)
def kek_fits(databases: Sequence[str] | None = None, **kwargs: Any) -> list[Warning]:
    """Runs with `check --database default` and before `migrate`; other starts call it through `services.kek_problem`."""
    if not databases:
        return []
    from llmconfig.services.canary import kek_problem  # noqa: PLC0415  # models are ready only now

    problem = kek_problem()
    return [Warning(problem, hint="Restore the KEK that this data was made with.", id=UNREADABLE_KEK)] if problem else []


@register(Tags.security)
def views_say_what_they_do(**kwargs: Any) -> list[Error]:
    from django.urls import get_resolver  # noqa: PLC0415  # views are loaded only now

    from llmconfig.tenancy.rest.permissions import undeclared  # noqa: PLC0415

    hint = "Give it read_action or write_action, of llmconfig.tenancy.caller.Action; or the permission Public."
    return [
        Error(f"/{route} ({view.__name__}) does not say what {', '.join(methods)} does.", hint=hint, id=UNDECLARED)
        for route, view in rest_views(get_resolver())
        if (methods := undeclared(view))
    ]


def rest_views(resolver: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(route, class) of every view of REST framework below a resolver."""
    for pattern in resolver.url_patterns:
        route = f"{prefix}{pattern.pattern}"
        if hasattr(pattern, "url_patterns"):
            yield from rest_views(pattern, route)
        elif (view := getattr(pattern.callback, "cls", None)) is not None:
            yield route, view
