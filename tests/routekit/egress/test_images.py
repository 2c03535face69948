"""Promise 13 for images and other media of messages: a part carries bytes or names an attachment, and no address is ever fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.llmconfig.net.vectors import URLS

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.net.stage import Seam
    from tests.llmconfig.people import Person


@pytest.mark.parametrize("kind", ["image", "document", "audio", "video"])
def test_promise_13_a_message_names_no_address_to_fetch(kind: str, alice: Person, seam: Seam, settings: SettingsWrapper) -> None:
    from llmconfig.services import ensure_demo_config

    settings.DEMO = True
    ensure_demo_config(alice.organization)
    client = alice.client()
    conversation = client.post("/api/conversations", {}).json()["id"]
    for url in (*URLS[::20], "https://images.example.com/cat.png"):
        parts: list[dict[str, Any]] = [
            {"type": kind, "url": url},
            {"type": kind, "image_url": {"url": url}},
            {"type": kind, "data": url, "media_type": "image/png"},
            {"type": kind, "attachment": url},
            {"type": kind, "source": {"type": "url", "url": url}},
            {"type": kind, "file_uri": url},
        ]
        for part in parts:
            answer = client.post(
                f"/api/conversations/{conversation}/messages", {"parts": [{"type": "text", "text": "See"}, part]}, format="json"
            )
            assert answer.status_code == 400, (part, answer.content)
    assert seam.dialled == []
    assert seam.resolver.asked == []
