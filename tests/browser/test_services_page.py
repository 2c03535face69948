"""The services page, shown what a service that changes may bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.rows import first_row
from tests.browser.test_main_job import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]

TOOLS = "**/api/user/services/*/tools*"
CHANGED = {"name": "search_tickets", "state": "changed", "policy": "auto", "diff": [{"field": "description", "before": "a", "after": "b"}]}


def test_a_changed_tool_that_ran_by_itself_is_said_to_ask_from_now_on(page: Page) -> None:
    sign_in(page)
    card = page.locator("#changes .decide")
    with first_row(page, TOOLS, **CHANGED):
        page.goto("/settings/services/")
        expect(card).to_contain_text("changed its definition and is blocked")
        expect(card).to_contain_text("It will ask from now on.")
    with first_row(page, TOOLS, **CHANGED | {"policy": "ask"}):
        page.reload()
        expect(card).to_contain_text("changed its definition and is blocked")
        expect(card).not_to_contain_text("It will ask from now on.")


def test_what_is_approved_is_what_was_read(page: Page) -> None:
    sign_in(page)
    with first_row(page, TOOLS, **CHANGED | {"pending_hash": "0" * 64}):
        page.goto("/settings/services/")
        with page.expect_request("**/approve") as asked:
            page.get_by_role("button", name="Approve the new definition").click()
        assert asked.value.post_data_json == {"definition_hash": "0" * 64}
        expect(page.get_by_role("alert").filter(has_text="defined otherwise by now")).to_be_visible()


def test_what_was_left_out_of_a_list_is_shown_of_a_service_that_is_connected(page: Page) -> None:
    sign_in(page)
    with first_row(page, "**/api/user/services*", status_detail="It lists more tools than are taken."):
        page.goto("/settings/services/")
        row = page.get_by_role("listitem").filter(has_text="Demo service")
        expect(row).to_contain_text("It lists more tools than are taken.")
        expect(row).to_contain_text("Connected")
