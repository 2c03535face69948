"""Crypto-shredding: without its data keys nothing that an organization sealed can be opened again."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import pre_delete

from llmconfig.tenancy.erasing import erase_deleted_keys
from llmconfig.tenancy.keys import forget_unwrapped
from llmconfig.tenancy.models import DataKey, Organization


def shred_keys(organization: Organization) -> int:
    """Delete every data key of the organization, in the caller's transaction; how many there were.

    From the commit on no process opens what they sealed: each asks the database for a key before it looks among those it has unwrapped.
    A client that was built before keeps its credentials until it is closed. The audit trail has keys of its own and stays verifiable.
    """
    deleted, _ = DataKey.objects.filter(organization=organization).delete()
    forget_unwrapped()
    if deleted:
        erase_deleted_keys()
    return deleted


def shred_with_organization(sender: type[Organization], instance: Organization, **kwargs: Any) -> None:
    """Signal receiver: whichever way an organization is deleted, its keys go first."""
    shred_keys(instance)


def connect() -> None:
    pre_delete.connect(shred_with_organization, sender=Organization, dispatch_uid="llmconfig.shred_keys")
