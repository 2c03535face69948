"""Taking the place that an invitation offers: once, by whoever holds the link, with the role that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from llmconfig.models import Invitation, Membership
from llmconfig.tenancy.audit import Actor, record
from llmconfig.tenancy.errors import Conflict, Forbidden, NotFound
from llmconfig.tenancy.models import Role

if TYPE_CHECKING:
    from collections.abc import Collection

    from llmconfig.models import Organization, User


def open_invitation(digest: str) -> Invitation:
    """The invitation, if it can still be accepted. Raises `NotFound` (revoked, or never was), `Conflict` (used, expired)."""
    invitation = Invitation.objects.select_related("organization", "invited_by").filter(digest=digest).first()
    if invitation is None:
        raise NotFound("This invitation is not valid. It may have been withdrawn: ask whoever sent it for a new one.", code="unknown")
    if invitation.accepted_at is not None:
        raise Conflict(
            "This invitation has been used. If it was you, sign in; otherwise ask whoever sent it for a new one.", code="invitation_used"
        )
    if invitation.expires_at <= timezone.now():
        raise Conflict("This invitation has expired. Ask whoever sent it for a new one.", code="invitation_expired")
    return invitation


def accept_invitation(*, user: User, invitation: Invitation, ip: str = "", verified: Collection[str] = ()) -> Membership:
    """Make the user a member. verified: the addresses that are known to be theirs, of which one must be the invitation's, if it has one.

    Raises `Forbidden` for somebody else's invitation, `Conflict` for a member (who keeps their role, and the link its use) and for a link
    that was used or has expired meanwhile.
    """
    if invitation.email and verified and invitation.email.lower() not in {address.lower() for address in verified}:
        raise Forbidden(
            f"This invitation is for {invitation.email}, and you signed in as {sorted(verified)[0]}. Sign in with the other account, "
            "or ask for an invitation for this one.",
            code="invitation_for_another",
        )
    if Membership.objects.filter(organization=invitation.organization_id, user=user).exists():
        raise Conflict(f"You are a member of {invitation.organization} already. Your role stays as it is.", code="already_member")
    now = timezone.now()
    with transaction.atomic():
        still_open = Invitation.objects.filter(Q(expires_at__gt=now), pk=invitation.pk, accepted_at=None)
        if not still_open.update(accepted_at=now, accepted_by=user, updated_at=now):
            open_invitation(invitation.digest)  # says why
            raise Conflict("This invitation was taken in this moment.", code="invitation_used")
        return join(user=user, organization=invitation.organization, role=Role(invitation.role), ip=ip, how="invitation")


def join(*, user: User, organization: Organization, role: Role, ip: str, how: str) -> Membership:
    """A new membership and its event. how: `invitation` or `sso`. Within a transaction of the caller's."""
    membership = Membership.objects.create(organization=organization, user=user, role=role)
    record(
        "member.joined",
        actor=Actor.user(user, ip),
        organization=organization.pk,
        object=user,
        details={"role": role.value, "how": how},
    )
    return membership
