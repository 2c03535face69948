"""Who did it: a person with a session or a token, the operator at a command or in the admin, or routekit itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from uuid import UUID

    from llmconfig.tenancy.caller import Caller
    from llmconfig.tenancy.models import User


@dataclass(frozen=True, slots=True)
class Actor:
    """name: as it was then. token: the name of the API token, "" for a session. ip: "" where there is none."""

    name: str
    id: UUID | None = None
    token: str = ""
    ip: str = ""

    @classmethod
    def of(cls, caller: Caller) -> Actor:
        return cls(caller.user.get_username(), caller.user.pk, caller.token_name, caller.ip)

    @classmethod
    def user(cls, user: User, ip: str = "") -> Actor:
        return cls(user.get_username(), user.pk, ip=ip)


SYSTEM: Final = Actor("system")
OPERATOR: Final = Actor("operator")
"""Whoever runs a command on the server."""
