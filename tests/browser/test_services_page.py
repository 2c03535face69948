"""The services page, shown what a service that changes may bring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.test_main_job import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]


def with_first(page: Page, path: str, **change: Any) -> None:
    """From now on the list at `path` is shown with its first row changed."""

    def answer(route: Route) -> None:
        listed = route.fetch()
        body = listed.json()
        body["results"][0].update(change)
        route.fulfill(response=listed, json=body)

    page.route(path, answer)


TOOLS = "**/api/user/services/*/tools*"
CHANGED = {"name": "search_tickets", "state": "changed", "policy": "auto", "diff": [{"field": "description", "before": "a", "after": "b"}]}


def test_a_changed_tool_that_ran_by_itself_is_said_to_ask_from_now_on(page: Page) -> None:
    sign_in(page)
    with_first(page, TOOLS, **CHANGED)
    page.goto("/settings/services/")
    card = page.locator("#changes .decide")
    expect(card).to_contain_text("changed its definition and is blocked")
    expect(card).to_contain_text("It will ask from now on.")
    page.unroute(TOOLS)
    with_first(page, TOOLS, **CHANGED | {"policy": "ask"})
    page.reload()
    expect(card).to_contain_text("changed its definition and is blocked")
    expect(card).not_to_contain_text("It will ask from now on.")
