"""Invitations: a link that makes whoever opens it a member, once. Its value is shown to whoever made it and kept nowhere.

People come in by links alone. Adding an account by its name would tell an admin which names exist in other organizations.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone

from llmconfig.services.members import require_may_give
from llmconfig.tenancy.audit import Actor, record
from llmconfig.tenancy.caller import Action, Caller
from llmconfig.tenancy.errors import Conflict, Invalid
from llmconfig.tenancy.models import Invitation, Membership, Role

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

logger = logging.getLogger(__name__)
DAYS: Final = 7
MAX_DAYS: Final = 30
MAX_PENDING: Final = 200
PENDING, ACCEPTED, EXPIRED = "pending", "accepted", "expired"


def invitation_path(value: str) -> str:
    return f"/accounts/invitation/{value}/"


def digest_of(value: str) -> str:
    """How an invitation's value is kept and found again."""
    return hashlib.sha256(value.encode()).hexdigest()


def status_of(invitation: Invitation) -> str:
    if invitation.accepted_at is not None:
        return ACCEPTED
    return PENDING if invitation.expires_at > timezone.now() else EXPIRED


def invitations_for(caller: Caller) -> QuerySet[Invitation]:
    caller.require(Action.MANAGE_ORGANIZATION)
    rows = Invitation.objects.for_caller(caller).select_related("invited_by", "accepted_by")
    return rows.order_by("-created_at", "-id")


@transaction.atomic
def invite_member(*, caller: Caller, role: Role, email: str = "", expires_in_days: int = DAYS) -> tuple[Invitation, str]:
    """The invitation and its value. email: who it is meant for, "" for anyone with the link.

    Raises `Forbidden` for a role that the caller may not give, `Invalid` for somebody who is a member here already, `Conflict`.
    """
    caller.require(Action.MANAGE_ORGANIZATION)
    require_may_give(caller, role)
    if email and Membership.objects.filter(organization=caller.organization, user__email__iexact=email).exists():
        raise Invalid("Somebody with this e-mail address is a member already.", code="already_member", attr="email")
    now = timezone.now()
    pending = Invitation.objects.filter(organization=caller.organization, accepted_at=None, expires_at__gt=now)
    if pending.count() >= MAX_PENDING:
        raise Conflict(f"{MAX_PENDING} invitations are open. Revoke some first.", code="too_many")
    value = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        organization=caller.organization,
        email=email,
        role=role,
        digest=digest_of(value),
        invited_by=caller.user,
        expires_at=now + timedelta(days=expires_in_days),
    )
    details = {"role": role.value, "email": email, "expires_at": invitation.expires_at}
    record("member.invited", actor=Actor.of(caller), organization=caller.organization.pk, object=_named(invitation), details=details)
    return invitation, value


@transaction.atomic
def renew_invitation(*, caller: Caller, id: UUID, expires_in_days: int = DAYS) -> tuple[Invitation, str]:
    """A new value and a new end; the old link is dead. Raises `Conflict` for an accepted one, `Forbidden`, `Invitation.DoesNotExist`."""
    caller.require(Action.MANAGE_ORGANIZATION)
    invitation = _open_one(caller, id)
    value = secrets.token_urlsafe(32)
    invitation.digest, invitation.invited_by = digest_of(value), caller.user
    invitation.expires_at = timezone.now() + timedelta(days=expires_in_days)
    invitation.save(update_fields=["digest", "invited_by", "expires_at", "updated_at"])
    details = {"role": invitation.role, "email": invitation.email, "expires_at": invitation.expires_at, "renewed": True}
    record("member.invited", actor=Actor.of(caller), organization=caller.organization.pk, object=_named(invitation), details=details)
    return invitation, value


@transaction.atomic
def revoke_invitation(*, caller: Caller, id: UUID) -> None:
    """Raises `Conflict` for an accepted one: whoever came by it is removed as a member."""
    caller.require(Action.MANAGE_ORGANIZATION)
    invitation = _open_one(caller, id)
    named = _named(invitation)
    invitation.delete()
    record("invitation.revoked", actor=Actor.of(caller), organization=caller.organization.pk, object=named)


def can_mail() -> bool:
    return bool(settings.EMAIL_CONFIGURED)


def mail_invitation(invitation: Invitation, link: str) -> bool:
    """Send the link once the transaction has committed, if there is an address and a mail server. Whether it will be tried.

    A mail server that fails costs the mail alone: the link is shown in any case, and can be handed over by other means.
    """
    if not invitation.email or not can_mail():
        return False
    inviter = invitation.invited_by.get_username() if invitation.invited_by else "An admin"
    subject = f"{inviter} invites you to {invitation.organization.name} on routekit".replace("\n", " ").replace("\r", " ")
    text = (
        f"{inviter} invites you to join {invitation.organization.name} as {Role(invitation.role).label.lower()}.\n\n{link}\n\n"
        f"The link works once, until {invitation.expires_at:%d %B %Y, %H:%M} UTC. Ignore this message if you did not expect it.\n"
    )

    def send() -> None:
        try:
            send_mail(subject, text, None, [invitation.email])
        except Exception:  # noqa: BLE001  # whatever a mail server's client raises
            logger.warning("The mail of invitation %s could not be sent.", invitation.pk)

    transaction.on_commit(send)
    return True


def _open_one(caller: Caller, id: UUID) -> Invitation:
    rows = Invitation.objects.for_caller(caller).select_related("organization", "invited_by", "accepted_by")
    invitation = rows.get(pk=id)
    require_may_give(caller, Role(invitation.role))
    invitation.refresh_from_db(from_queryset=Invitation.objects.select_for_update())
    if invitation.accepted_at is not None:
        raise Conflict("This invitation was accepted. Remove the member instead.", code="accepted")
    return invitation


def _named(invitation: Invitation) -> tuple[str, str, str]:
    return "invitation", str(invitation.pk), str(invitation)
