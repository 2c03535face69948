"""What the table of URLs itself decides."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


def test_the_api_reference_alone_has_a_wider_content_policy(client):
    docs, other = (client.get(url)["Content-Security-Policy"] for url in ("/api/docs/", "/accounts/login/"))

    assert "img-src 'self' data:" in docs
    assert "'unsafe-inline'" not in docs
    assert "data:" not in other
    assert "sha256" not in other
