"""The services menu of the chat: which of a conversation's services answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.rows import first_row
from tests.browser.test_main_job import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]


@pytest.mark.parametrize(("status", "words"), [
    ("unreachable", "not answering"), ("error", "answers with an error"), ("unauthorized", "wants a sign-in"),
    ("untested", "not tested yet"),
])  # fmt: skip
def test_a_service_that_is_not_connected_says_so_and_is_not_counted(page: Page, status: str, words: str) -> None:
    sign_in(page)
    count, menu = page.locator("#services-count"), page.locator("#services-menu")
    expect(count).to_have_text("1 of /1")
    with first_row(page, "**/api/user/services*", status=status):
        page.reload()
        expect(count).to_have_text("0 of /1, 1 is not connected")
        menu.locator("summary").click()
        expect(menu.locator("label").filter(has_text="Demo service")).to_contain_text(words)
    page.reload()
    expect(count).to_have_text("1 of /1")
