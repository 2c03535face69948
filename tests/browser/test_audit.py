"""The audit page in a real browser: finding events, reading one, the keyboard, verifying, exporting, a phone."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.steps import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.fakes.anthropic import FakeAnthropic

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]
LABEL = "<img src=x onerror=alert(1)>\u202e"


def token_of(page: Page) -> str:
    return next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")


def connect(page: Page, name: str) -> None:
    """A service that does not answer, which makes an event all the same."""
    body = {"display_name": name, "url": "https://docs.example/mcp"}
    answer = page.request.post("/api/user/services", data=body, headers={"X-CSRFToken": token_of(page), "Referer": page.url})
    assert answer.status == 201, answer.text()


@pytest.fixture
def trail(page: Page, vendor: FakeAnthropic) -> Page:
    sign_in(page)
    for name in ("First docs", LABEL, "Last docs"):
        connect(page, name)
    page.goto("/audit/")
    expect(page.locator("#events")).to_have_attribute("aria-busy", "false")
    return page


def test_finding_and_reading_an_event(trail: Page) -> None:
    expect(trail.get_by_role("navigation", name="Main").get_by_role("link", name="Audit")).to_have_attribute("aria-current", "page")
    rows = trail.locator("#rows tr")
    expect(rows.first).to_contain_text("service.created")
    trail.get_by_label("Search").fill("First docs")
    expect(rows.first).to_contain_text("First docs")
    expect(trail).to_have_url(re.compile(r"\?q=First\+docs$"))
    rows.first.get_by_role("link").click()
    drawer = trail.get_by_role("complementary", name="Event")
    expect(drawer).to_contain_text("admin")
    expect(drawer.get_by_label("Event details")).to_contain_text('"display_name": "First docs"')
    expect(drawer).to_contain_text("127.0.0.1")
    trail.reload()  # filters and the event are in the address
    expect(trail.get_by_label("Search")).to_have_value("First docs")
    expect(drawer).to_contain_text("service.created")
    trail.get_by_role("button", name="Close details").click()
    expect(drawer).to_be_hidden()
    trail.get_by_label("Search").fill("nothing is called so")
    expect(trail.locator("#nothing")).to_contain_text("No event fits these filters.")
    trail.get_by_role("button", name="Clear the filters").click()
    expect(rows.first).to_be_visible()
    trail.get_by_label("Outcome").select_option("refused")
    expect(trail).to_have_url(re.compile(r"\?outcome=refused$"))


def test_names_are_text_and_what_is_hidden_in_them_is_named(trail: Page) -> None:
    row = trail.locator("#rows tr").filter(has_text="<img").first
    expect(row).to_contain_text("U+202E")
    row.get_by_role("link").click()
    expect(trail.get_by_label("Event details")).to_contain_text("<img src=x")
    assert trail.locator("#main img").count() == 0


def test_the_keyboard(trail: Page) -> None:
    drawer = trail.get_by_role("complementary", name="Event")
    trail.keyboard.press("j")
    expect(drawer).to_be_visible()
    first = drawer.get_by_role("heading", level=2).inner_text()
    trail.keyboard.press("ArrowDown")
    expect(drawer.get_by_role("heading", level=2)).not_to_have_text(first)
    trail.keyboard.press("k")
    expect(drawer.get_by_role("heading", level=2)).to_have_text(first)
    trail.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    trail.get_by_label("Search").press("j")
    expect(drawer).to_be_hidden()


def test_verifying_and_exporting(trail: Page) -> None:
    trail.get_by_role("button", name="Verify now").click()
    expect(trail.locator("#chain-badge")).to_have_text("Chain verified")
    expect(trail.locator("#chain-sum")).to_contain_text("last checked just now")
    expect(trail.locator("#rows tr").first).to_contain_text("audit.verified")
    trail.get_by_label("Search").fill("First docs")
    expect(trail.locator("#export [data-format=csv]")).to_have_attribute("href", "/api/audit?q=First+docs&format=csv")
    trail.locator("#export summary").click()
    with trail.expect_download() as download:
        trail.get_by_role("link", name="The whole chain, to verify elsewhere").click()
    lines = download.value.path().read_text().splitlines()
    assert json.loads(lines[0])["scope"] == "chain"
    assert json.loads(lines[-1])["kind"] == "trailer"
    assert download.value.suggested_filename.startswith("audit-")


def test_a_broken_chain_and_an_answer_that_does_not_come(trail: Page) -> None:
    state = trail.request.get("/api/audit/verify").json()
    broken = state | {
        "intact": False,
        "at": "2026-11-22T14:00:00Z",
        "problems": [{"kind": "missing", "seq": 3, "detail": "Event 3 is missing."}],
    }
    trail.route("**/api/audit?*", lambda route: route.fulfill(status=429, json={"type": "client_error", "errors": []}))
    trail.route("**/api/audit/verify", lambda route: route.fulfill(json=broken))
    trail.reload()
    expect(trail.locator("#chain-badge")).to_have_text("Chain broken")
    expect(trail.locator("#chain-problems")).to_contain_text("Event 3 is missing.")
    expect(trail.locator("#nothing")).to_contain_text("The events could not be read.")
    trail.unroute_all(behavior="wait")
    trail.get_by_role("button", name="Try again").click()
    expect(trail.locator("#rows tr").first).to_contain_text("service.created")


def test_on_a_phone(trail: Page) -> None:
    trail.set_viewport_size({"width": 390, "height": 844})
    assert trail.evaluate("document.documentElement.scrollWidth <= innerWidth")
    trail.locator("#rows tr").first.get_by_role("link").click()
    drawer = trail.get_by_role("complementary", name="Event")
    box = drawer.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    trail.get_by_role("button", name="Close details").click()
    expect(drawer).to_be_hidden()
