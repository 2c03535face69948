"""The list of account pages: complete, imported late, and nothing on it promises a mail."""

from __future__ import annotations

from importlib import import_module

import pytest

from llmconfig.web.account_urls import urlpatterns

LATE = [
    pattern.callback.__qualname__ for pattern in urlpatterns if pattern.callback.__qualname__.startswith(("allauth.", "llmconfig.web."))
]


@pytest.mark.parametrize("place", LATE)
def test_a_view_that_is_imported_late_is_there_and_asks_for_no_exception(place: str) -> None:
    module, _, name = place.rpartition(".")
    view = getattr(import_module(module), name)
    assert callable(view)
    assert not getattr(view, "csrf_exempt", False)


def test_there_are_such_views() -> None:
    assert len(LATE) > 20


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["email/", "confirm-email/", "login/code/confirm/", "signup/passkey/", "3rdparty/", "social/signup/"])
def test_pages_of_allauth_that_need_a_mail_are_not_there(client, path: str) -> None:
    assert client.get(f"/accounts/{path}").status_code == 404
