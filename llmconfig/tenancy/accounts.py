"""How people and organizations come to be. Whatever creates a user (a command, the admin, a sign-up), an organization comes with it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.signals import post_save
from django.utils.text import slugify

from llmconfig.tenancy.models import ApiToken, Membership, Organization, Role, User, all_scopes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def create_user_with_organization(
    *,
    username: str,
    password: str | None = None,
    email: str = "",
    organization: Organization | None = None,
    role: Role = Role.MEMBER,
    is_superuser: bool = False,
) -> User:
    """A user who owns a new organization, or joins the one given with `role`."""
    user = User(username=username, email=User.objects.normalize_email(email), is_staff=is_superuser, is_superuser=is_superuser)
    user.set_password(password)
    with transaction.atomic():
        if organization is not None:
            user.joins = organization  # type: ignore[misc]  # the instance's own answer to the class's default
        user.save()
        if organization is not None:
            Membership.objects.create(organization=organization, user=user, role=role)
    return user


def create_organization(*, name: str, owner: User) -> Organization:
    """A new organization with its owner; the slug comes from the name and is made unique."""
    base = slugify(name)[:70] or "organization"
    slug = base if not Organization.objects.filter(slug=base).exists() else f"{base}-{secrets.token_hex(4)}"
    with transaction.atomic():
        organization = Organization.objects.create(name=name, slug=slug)
        Membership.objects.create(organization=organization, user=owner, role=Role.OWNER)
    return organization


def create_api_token(
    *, user: User, organization: Organization, name: str, scopes: Sequence[str] | None = None, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """The token's row, and its value, which is shown once and kept nowhere."""
    token, value = ApiToken.objects.create(
        user, expiry=None, name=name, organization=organization, scopes=list(scopes) if scopes is not None else all_scopes()
    )
    if expires_at is not None:
        token.expiry = expires_at
        token.save(update_fields=["expiry"])
    return token, value


def found_organization(sender: type[User], instance: User, created: bool, raw: bool = False, **kwargs: Any) -> None:
    """Signal receiver: a new user founds an organization, unless it joins one. Fixtures bring their own rows."""
    if created and not raw and instance.joins is None:
        create_organization(name=instance.get_username(), owner=instance)


def connect() -> None:
    post_save.connect(found_organization, sender=User, dispatch_uid="llmconfig.found_organization")
