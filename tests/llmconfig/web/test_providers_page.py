"""The providers page: who is offered to add models and set prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmconfig.tenancy.models import Role
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from django.test import Client

    from tests.llmconfig.people import Person


@pytest.mark.parametrize(("role", "offered"), [(Role.VIEWER, False), (Role.MEMBER, False), (Role.ADMIN, True), (Role.OWNER, True)])
def test_the_dialog_is_for_admins(client: Client, alice: Person, role: Role, offered: bool) -> None:
    client.force_login(person("bob", alice.organization, role).user)
    page = client.get("/settings/providers/").content.decode()
    assert 'id="models"' in page
    assert ('id="model-dialog"' in page) is offered
