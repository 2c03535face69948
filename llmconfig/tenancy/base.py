"""What every tenant's row is made of: a UUID, its organization, and a manager that shows a caller only what it may see."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Self, TypeVar

from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    from llmconfig.tenancy.caller import Caller


M = TypeVar("M", bound=models.Model)


class TenantQuerySet(models.QuerySet[M]):
    """Every id that a caller sends is resolved through `for_caller`, so that a foreign id is not found."""

    def for_caller(self, caller: Caller) -> Self:
        """Rows of the caller's organization. Where rows have an owner: those without one, which are shared, and the caller's own.

        Own ones are for who may have such: whoever became a viewer or an auditor sees what is shared.
        """
        rows = self.filter(organization=caller.organization)
        if any(field.name == "owner" for field in self.model._meta.fields):
            rows = rows.filter(models.Q(owner=caller.user) | models.Q(owner=None) if caller.has_own else models.Q(owner=None))
        return rows

    def owned_by(self, caller: Caller) -> Self:
        return self.filter(organization=caller.organization, owner=caller.user)


TenantManager = models.Manager.from_queryset(TenantQuerySet, "TenantManager")


class TenantModel(models.Model):
    """A row of one organization. The id exists before the first save: sealed values are bound to it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey("llmconfig.Organization", on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = TenantManager()

    class Meta:
        abstract = True


class OwnedModel(TenantModel):
    """A row with an owner. `owner` null means the organization shares it with its members."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="+")

    class Meta:
        abstract = True

    @property
    def shared(self) -> bool:
        return self.owner_id is None
