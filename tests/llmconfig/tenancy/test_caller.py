"""The table of roles in api.md, and what a token's scopes add to it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from llmconfig.tenancy.caller import Action, allows
from llmconfig.tenancy.errors import Forbidden
from llmconfig.tenancy.models import Role, Scope

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

OWN = {Role.MEMBER, Role.ADMIN, Role.OWNER}
TABLE = {
    Action.SEE: set(Role),
    Action.READ_OWN: OWN,
    Action.RUN: OWN,
    Action.MANAGE_OWN: OWN,
    Action.SEE_ALL_USAGE: {Role.AUDITOR, Role.ADMIN, Role.OWNER},
    Action.READ_AUDIT: {Role.AUDITOR, Role.ADMIN, Role.OWNER},
    Action.MANAGE_ORGANIZATION: {Role.ADMIN, Role.OWNER},
    Action.SHARE: {Role.ADMIN, Role.OWNER},
    Action.OWN_ORGANIZATION: {Role.OWNER},
    Action.LEAVE: set(Role),
}
SCOPES = {
    Scope.READ: {Action.SEE, Action.READ_OWN, Action.SEE_ALL_USAGE, Action.READ_AUDIT},
    Scope.RUN: {Action.SEE, Action.READ_OWN, Action.SEE_ALL_USAGE, Action.READ_AUDIT, Action.RUN},
    Scope.ADMIN: set(Action),
}


@pytest.mark.parametrize("role", Role)
def test_roles(alice: Person, role: Role) -> None:
    caller = dataclasses.replace(alice.caller, role=role)
    assert {action for action in Action if allows(caller, action)} == {action for action, roles in TABLE.items() if role in roles}


@pytest.mark.parametrize("scope", Scope)
def test_scopes(alice: Person, scope: Scope) -> None:
    caller = dataclasses.replace(alice.caller, scopes=frozenset({scope}))
    assert {action for action in Action if allows(caller, action)} == SCOPES[scope]


def test_require_refuses_by_name_of_role(bob: Person) -> None:
    with pytest.raises(Forbidden, match="member"):
        bob.caller.require(Action.SHARE)
