"""What is done in Django's admin, recorded like everything else: every screen of the site, those of other apps included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction

from llmconfig.tenancy.audit.actors import Actor
from llmconfig.tenancy.audit.record import record
from llmconfig.tenancy.caller import ip_of
from llmconfig.tenancy.models import Organization, User

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from django.db.models import Model, QuerySet
    from django.http import HttpRequest, HttpResponseBase

_MANY: Final = 200
"""Objects of one action: beyond these, only their number is told."""
_DELETES: Final = "delete_selected"


class Audited:
    """Mixed into every ModelAdmin: its changes and what records them are one transaction."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        entry = super().log_addition(request, obj, message)  # type: ignore[misc]
        _record("admin.added", request, [obj], message)
        return entry

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        entry = super().log_change(request, obj, message)  # type: ignore[misc]
        _record("admin.changed", request, [obj], message)
        return entry

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> Any:
        objects = list(queryset)
        entries = super().log_deletions(request, objects)  # type: ignore[misc]
        _record("admin.deleted", request, objects, None)
        return entries

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase | None:
        """An action of a list: deleting tells of itself above, of any other we tell."""
        with transaction.atomic():
            objects = list(queryset.filter(pk__in=request.POST.getlist(ACTION_CHECKBOX_NAME))[: _MANY + 1])
            response: HttpResponseBase | None = super().response_action(request, queryset)  # type: ignore[misc]
            name = request.POST.get("action") or ""
            if response is not None and name and name != _DELETES and objects:
                _record("admin.acted", request, objects, [{"action": name}])
        return response


class AuditedSite(admin.AdminSite):
    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        base = admin_class or admin.ModelAdmin
        audited = base if issubclass(base, Audited) else type(base.__name__, (Audited, base), {"__module__": base.__module__})
        super().register(model_or_iterable, audited, **options)


def _record(action: str, request: HttpRequest, objects: list[Any], changes: Any) -> None:
    """changes: Django's own words, which name fields and never their values."""
    if not isinstance(request.user, User):
        return
    actor = Actor.user(request.user, ip_of(request))
    details: dict[str, Any] = {}
    if changes:
        details["changes"] = json.loads(changes) if isinstance(changes, str) and changes[:1] == "[" else changes
    told = [(str(chain or ""), chain, each) for each in objects[:_MANY] for chain in _chains_of(each)]
    for _, chain, each in sorted(told, key=lambda row: row[0]):  # always in the same order: chains are locked until the commit
        record(action, actor=actor, organization=chain, object=each, details=details)
    if len(objects) > _MANY:
        record(action, actor=actor, organization=None, details=details | {"and_more": len(objects) - _MANY})


def _chains_of(row: Any) -> list[UUID | None]:
    """The organizations that it is about; the installation (None) when it is about none."""
    if isinstance(row, Organization):
        return [row.pk]
    if found := getattr(row, "organization_id", None):
        return [found]
    user = row if isinstance(row, User) else getattr(row, "user", None)
    if isinstance(user, User):
        return list(user.memberships.order_by("organization_id").values_list("organization_id", flat=True)) or [None]
    return [None]
