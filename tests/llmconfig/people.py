"""Alice owns an organization in which Bob is a member; Mallory owns another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rest_framework.test import APIClient

from llmconfig.tenancy.accounts import create_api_token, create_user_with_organization
from llmconfig.tenancy.caller import Caller, caller_for
from llmconfig.tenancy.models import Organization, Role, User

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Person:
    user: User
    caller: Caller

    @property
    def organization(self) -> Organization:
        return self.caller.organization

    def client(self, scopes: Sequence[str] | None = None) -> APIClient:
        """An API client with a token of this person's."""
        _, value = create_api_token(user=self.user, organization=self.organization, name="test", scopes=scopes)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
        return client


def person(username: str, organization: Organization | None = None, role: Role = Role.MEMBER, **fields: Any) -> Person:
    """Without a password, whose hash takes longer than a test: sign in with `force_login`."""
    user = create_user_with_organization(username=username, password=None, organization=organization, role=role, **fields)
    return Person(user, caller_for(user))
