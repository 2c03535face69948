"""On a phone: what is long is broken or clipped in its place, and nothing lies on anything else."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.steps import add_config, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.fakes.anthropic import FakeAnthropic

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]

LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabteilung"
INSIDE = "(node) => node.scrollWidth <= node.clientWidth && node.getBoundingClientRect().right <= innerWidth"


def test_long_names_stay_in_their_place(page: Page, vendor: FakeAnthropic) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page)
    add_config(page, vendor, name=LONG)
    page.goto("/settings/providers/")
    title = page.locator("li.provider .title").filter(has_text=LONG)
    expect(title).to_be_visible()
    assert title.evaluate(INSIDE)
    card = page.locator("details.models").filter(has_text=LONG)
    card.locator("summary").click()
    card.get_by_role("button", name=f"Add a model to {LONG}").click()
    assert page.get_by_role("dialog").locator("h2").evaluate(INSIDE)


def test_the_menus_of_the_composer_stand_side_by_side(page: Page, vendor: FakeAnthropic) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page)
    add_config(page, vendor, name="Phone", model="claude-sonnet-4-5")
    page.goto("/")
    expect(page.locator("#thinking-menu")).to_be_visible()
    expect(page.locator("#services-count")).not_to_be_empty()
    boxes = [page.locator(f"{menu} summary").bounding_box() for menu in ("#services-menu", "#model-menu", "#thinking-menu")]
    for left, right in pairwise(boxes):
        assert left["x"] + left["width"] <= right["x"]
    page.set_viewport_size({"width": 640, "height": 400})
    page.locator("#model-menu summary").click()
    assert page.locator("#model-menu .popup").bounding_box()["y"] >= page.locator(".topbar").bounding_box()["height"]
