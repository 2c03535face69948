"""Who belongs to an organization and as what. The rules about roles are here and nowhere else.

Admins manage viewers, members and auditors, owners everybody, and an organization always keeps an owner. Every change first locks the
organization's row and then reads the roles anew, so that of two owners who demote each other at once one stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction

from llmconfig.models import ApiToken, UserLLMConfig
from llmconfig.tenancy.audit import Actor, record
from llmconfig.tenancy.caller import Action, Caller
from llmconfig.tenancy.departures import member_leaving
from llmconfig.tenancy.errors import Conflict, Forbidden
from llmconfig.tenancy.models import Invitation, Membership, Organization, Role, User

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

_BELOW_ADMIN: Final = frozenset({Role.VIEWER, Role.MEMBER, Role.AUDITOR})
_MANAGED_BY: Final = {Role.OWNER: frozenset(Role), Role.ADMIN: _BELOW_ADMIN}


def manageable(role: Role) -> frozenset[Role]:
    """The roles whose holders someone with `role` may invite, change and remove, and which they may give."""
    return _MANAGED_BY.get(role, frozenset())


def members_for(caller: Caller) -> QuerySet[Membership]:
    caller.require(Action.SEE)
    return Membership.objects.filter(organization=caller.organization).select_related("user").order_by("-created_at", "-id")


@transaction.atomic
def change_role(*, caller: Caller, id: UUID, role: Role) -> Membership:
    """Raises `Forbidden` for a role that the caller may not take or give, `Conflict` (`last_owner`), `Membership.DoesNotExist`."""
    caller.require(Action.MANAGE_ORGANIZATION)
    acting, membership = _locked(caller, id)
    _require_manageable(acting, Role(membership.role), role)
    return _set_role(membership, role, Actor.of(caller))


@transaction.atomic
def remove_member(*, caller: Caller, id: UUID) -> None:
    """Takes a person out of the organization; oneself, too. Raises `Forbidden`, `Conflict` (`last_owner`), `Membership.DoesNotExist`."""
    caller.require(Action.LEAVE)
    acting, membership = _locked(caller, id)
    if membership.user_id != caller.user.pk:
        caller.require(Action.MANAGE_ORGANIZATION)
        _require_manageable(acting, Role(membership.role))
    _remove(membership, Actor.of(caller))


@transaction.atomic
def add_member_as_operator(*, organization: Organization, user: User, role: Role, actor: Actor) -> Membership:
    """Raises `Conflict` for someone who is a member already."""
    _lock(organization.pk)
    try:
        with transaction.atomic():
            membership = Membership.objects.create(organization=organization, user=user, role=role)
    except IntegrityError:
        raise Conflict(f"{user} is a member of {organization} already.", code="already_member") from None
    record("member.joined", actor=actor, organization=organization.pk, object=_named(membership), details={"role": role.value})
    return membership


@transaction.atomic
def change_role_as_operator(*, id: UUID, role: Role, actor: Actor) -> Membership:
    """Raises `Conflict` (`last_owner`)."""
    return _set_role(_locked_membership(id), role, actor)


@transaction.atomic
def remove_member_as_operator(*, id: UUID, actor: Actor) -> None:
    """Raises `Conflict` (`last_owner`)."""
    _remove(_locked_membership(id), actor)


@transaction.atomic
def delete_user(*, user: User, actor: Actor) -> None:
    """A person goes from the installation. What they did and what it cost stays, and so does what they shared.

    Raises `Conflict` (`last_owner`) while they are the last owner of an organization that has other members.
    """
    memberships = list(Membership.objects.filter(user=user).select_related("organization", "user").order_by("organization_id"))
    for membership in memberships:
        _lock(membership.organization_id)
    for membership in memberships:
        others = Membership.objects.filter(organization=membership.organization_id).exclude(pk=membership.pk)
        _remove(membership, actor, is_last=not others.exists())
    user.delete()


def require_still_owner(caller: Caller) -> Organization:
    """The organization with its row locked, if the caller owns it now. Inside a transaction. Raises `Forbidden`."""
    organization = _lock(caller.organization.pk)
    if _acting(caller) != Role.OWNER:
        raise Forbidden("Only an owner does this.")
    return organization


def require_may_give(caller: Caller, role: Role) -> None:
    """Inside a transaction: locks the organization and reads the caller's role anew. Raises `Forbidden`."""
    _lock(caller.organization.pk)
    _require_manageable(_acting(caller), role)


def _lock(organization_id: UUID) -> Organization:
    return Organization.objects.select_for_update().get(pk=organization_id)


def _acting(caller: Caller) -> Role:
    role = Membership.objects.filter(organization=caller.organization, user=caller.user).values_list("role", flat=True).first()
    if role is None:
        raise Forbidden("You are no member of this organization any more.")
    return Role(role)


def _locked(caller: Caller, id: UUID) -> tuple[Role, Membership]:
    """The caller's role as it is now, and a membership of the caller's organization."""
    organization = _lock(caller.organization.pk)
    acting = _acting(caller)
    return acting, Membership.objects.select_related("user", "organization").get(pk=id, organization=organization)


def _locked_membership(id: UUID) -> Membership:
    _lock(Membership.objects.values_list("organization_id", flat=True).get(pk=id))
    return Membership.objects.select_related("user", "organization").get(pk=id)


def _require_manageable(acting: Role, *roles: Role) -> None:
    if not set(roles) <= manageable(acting):
        if acting == Role.ADMIN:
            raise Forbidden("Only an owner manages admins and owners.")
        raise Forbidden("Only an admin or owner manages members.")


def _set_role(membership: Membership, role: Role, actor: Actor) -> Membership:
    before = Role(membership.role)
    if role == before:
        return membership
    if before == Role.OWNER:
        _require_another_owner(membership)
    membership.role = role
    membership.save(update_fields=["role"])
    _withdraw_invitations(membership, role)
    details = {"before": before.value, "after": role.value}
    record("member.role_changed", actor=actor, organization=membership.organization_id, object=_named(membership), details=details)
    return membership


def _remove(membership: Membership, actor: Actor, *, is_last: bool = False) -> None:
    """is_last: nobody else is a member, so that no owner need stay."""
    if membership.role == Role.OWNER and not is_last:
        _require_another_owner(membership)
    organization, user = membership.organization, membership.user
    member_leaving.send(sender=Membership, organization=organization, user=user)
    tokens = ApiToken.objects.filter(organization=organization, user=user).delete()[0]
    own = UserLLMConfig.objects.filter(organization=organization, owner=user)
    configs = list(own.values_list("name", flat=True))
    own.delete()
    _withdraw_invitations(membership, None)
    named, left = _named(membership), actor.id == user.pk
    membership.delete()
    details: dict[str, Any] = {"role": membership.role, "left": left, "tokens": tokens, "configs": configs}
    record("member.removed", actor=actor, organization=organization.pk, object=named, details=details)


def _withdraw_invitations(membership: Membership, role: Role | None) -> None:
    """Open links that their maker could not make any more: who was removed would come back by one of their own."""
    allowed = manageable(role) if role else frozenset[Role]()
    pending = Invitation.objects.filter(organization=membership.organization_id, invited_by=membership.user_id, accepted_at=None)
    pending.exclude(role__in=[each.value for each in allowed]).delete()


def _require_another_owner(membership: Membership) -> None:
    owners = Membership.objects.filter(organization=membership.organization_id, role=Role.OWNER).exclude(pk=membership.pk)
    if not owners.exists():
        raise Conflict(
            f"{membership.user} is the last owner of {membership.organization}. Make somebody else an owner, or delete the organization.",
            code="last_owner",
        )


def _named(membership: Membership) -> tuple[str, str, str]:
    return "member", str(membership.pk), membership.user.get_username()
