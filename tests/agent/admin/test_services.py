"""Services in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.models import Service
from llmconfig.tenancy.accounts import create_user_with_organization
from tests.agent.rows import service_of

if TYPE_CHECKING:
    from django.test import Client

    from tests.llmconfig.people import Person


def test_a_key_in_the_address_is_not_shown(alice: Person, client: Client) -> None:
    service = service_of(alice, "find")
    Service.objects.update(url="http://127.0.0.1:9/mcp?key=canary-7f3a91c2")
    client.force_login(create_user_with_organization(username="root", is_superuser=True))
    page = client.get(f"/admin/agent/service/{service.pk}/change/").content.decode()
    assert "http://127.0.0.1:9/mcp?key=••••" in page
    assert "canary-7f3a91c2" not in page
