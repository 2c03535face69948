"""What the agent lets go of when a person leaves an organization, or an organization ends: runs, services, grants, logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from agent.models import Run, Service, ToolGrant
from agent.services.erasure import forget_logs_on_commit
from agent.services.runs import stop_run
from llmconfig.tenancy.departures import member_leaving, organization_ending

if TYPE_CHECKING:
    from llmconfig.tenancy.models import Organization, User


def part_with_member(sender: Any, organization: Organization, user: User, **_: Any) -> None:
    """Their runs stop, and their own services go with the tokens in them. Their conversations stay theirs: nobody else reads them."""
    for run in Run.objects.select_for_update(of=("self",)).filter(organization=organization, user=user, status__in=Run.ACTIVE):
        stop_run(run)
    ToolGrant.objects.filter(user=user, service__organization=organization).delete()
    Service.objects.filter(organization=organization, owner=user).delete()


def part_with_organization(sender: Any, organization: Organization, **_: Any) -> None:
    """A running run is told at once; its row goes with the organization, so that nothing more of it can be written."""
    from agent.services import live  # noqa: PLC0415  # Valkey's client is slow to import

    running = list(Run.objects.filter(organization=organization, status=Run.Status.RUNNING).values_list("id", flat=True))

    def tell_workers() -> None:
        for id in running:
            live.tell_worker(id)

    transaction.on_commit(tell_workers)
    forget_logs_on_commit(list(Run.objects.filter(organization=organization).values_list("id", flat=True)))


def connect() -> None:
    member_leaving.connect(part_with_member, dispatch_uid="agent.part_with_member")
    organization_ending.connect(part_with_organization, dispatch_uid="agent.part_with_organization")
