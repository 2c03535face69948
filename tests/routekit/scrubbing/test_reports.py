"""Django's error page and its mail, with the secrets of those whose request broke."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from django.core import mail
from django.test import RequestFactory
from django.utils.log import AdminEmailHandler
from django.views.debug import technical_500_response

from llmconfig.llm import Credentials, Secret

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

KEY = "lemonade-stand&0123456789-abcdef"
COOKIE, TOKEN, PASSWORD = "sessionid0123456789abcdef", "tokenofalice0123456789ab", "correct-horse-battery-1"
SPELLINGS = (KEY, quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode(), KEY.replace("&", "&amp;"))


def broken() -> Any:
    """The exception of a view with a credential in its local variables, under names that tell and names that do not."""
    credentials = Credentials("https://api.example.com", {"api_key": Secret(KEY)})

    def view() -> None:
        api_key, harmless = KEY, {"x": [KEY]}
        encoded = SPELLINGS[1:3]
        raise ValueError(f"it broke with {api_key} {harmless} {encoded} {credentials}")

    try:
        view()
    except ValueError:
        return sys.exc_info(), credentials
    raise AssertionError


def request() -> Any:
    return RequestFactory().post(
        "/settings/providers/?key=of-the-query-0123456789",
        {"api_key": KEY, "password": PASSWORD},
        HTTP_COOKIE=f"routekit_session={COOKIE}",
        HTTP_AUTHORIZATION=f"Bearer {TOKEN}",
        HTTP_X_API_KEY=KEY,
    )


@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
def test_promise_4_the_debug_page_shows_no_credential(accept: str, settings: SettingsWrapper) -> None:
    settings.DEBUG = True
    told, _held = broken()
    asked = request()
    asked.META["HTTP_ACCEPT"] = accept
    page = technical_500_response(asked, *told).content.decode()
    assert "it broke with" in page
    for secret in (*SPELLINGS, COOKIE, TOKEN, PASSWORD, settings.SECRET_KEY, settings.KEK):
        assert secret not in page, secret


def test_promise_4_the_mail_to_admins_shows_no_credential(settings: SettingsWrapper) -> None:
    import logging

    settings.ADMINS = [("Operator", "operator@example.com")]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    told, _held = broken()
    record = logging.getLogger("django.request").makeRecord("django.request", logging.ERROR, __file__, 1, "Server Error", (), told)
    record.request = request()  # type: ignore[attr-defined]
    AdminEmailHandler(include_html=True).emit(record)
    (sent,) = mail.outbox
    assert "it broke with" in sent.body
    said = sent.body + str(sent.alternatives)
    for secret in (*SPELLINGS, COOKIE, TOKEN, PASSWORD, settings.SECRET_KEY, settings.KEK):
        assert secret not in said, secret
