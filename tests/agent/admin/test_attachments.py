"""Attachments in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.files.base import ContentFile

from agent.services.attachments import create_attachment
from llmconfig.tenancy.accounts import create_user_with_organization
from tests.agent import files

if TYPE_CHECKING:
    from django.test import Client

    from tests.llmconfig.people import Person


def test_neither_a_name_nor_a_path_is_shown(alice: Person, client: Client) -> None:
    row = create_attachment(caller=alice.caller, file=ContentFile(files.PDF), name="canary-7f3a91c2.pdf")
    client.force_login(create_user_with_organization(username="root", is_superuser=True))
    for page in ("", f"{row.pk}/change/"):
        shown = client.get(f"/admin/agent/attachment/{page}").content.decode()
        assert "application/pdf" in shown
        assert "canary-7f3a91c2" not in shown
        assert row.path.rpartition("/")[2] not in shown
