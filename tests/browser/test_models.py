"""The models on the providers page: what is listed, fetched again, added and priced, and what a run then costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.steps import add_config, say, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.fakes.anthropic import FakeAnthropic


def models_of(page: Page, name: str) -> Locator:
    return page.locator("details.models").filter(has_text=name)


def test_an_admin_adds_a_model_and_sets_a_price(page: Page, vendor: FakeAnthropic) -> None:
    vendor.models.append("claude-next")
    sign_in(page)
    add_config(page, vendor, name="Priced", model="claude-next")
    page.goto("/settings/providers/")
    card = models_of(page, "Priced")
    card.locator("summary").click()
    card.get_by_role("button", name="Fetch again the models of Priced").click()
    expect(card).to_contain_text("Listed by the provider just now.")
    row = card.get_by_role("row").filter(has_text="claude-next")
    expect(row).to_contain_text("unknown")

    row.get_by_role("button", name="Set price of claude-next").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Input", exact=True).fill("10000")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("required")
    expect(dialog.get_by_label("Output", exact=True)).to_be_focused()
    dialog.get_by_label("Output", exact=True).fill("20000")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(row).to_contain_text("$10000 in · $20000 out")
    expect(row.get_by_role("button")).to_be_focused()

    card.get_by_role("button", name="Add a model to Priced").click()
    dialog.get_by_label("Model name").fill("ft:ours")
    dialog.get_by_label("Context window").fill("32000")
    dialog.get_by_label("Images").uncheck()
    page.keyboard.press("Enter")
    added = card.get_by_role("row").filter(has_text="ft:ours")
    expect(added).to_contain_text("32.0 k")
    added.get_by_role("button").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(added).to_have_count(0)

    page.goto("/")
    page.locator("#model-menu summary").click()
    page.locator("#model-menu").get_by_role("radio", name="claude-next").check()
    page.keyboard.press("Escape")
    say(page, "Hello")
    turn = page.get_by_role("article", name="Assistant")
    expect(turn.locator("footer")).to_contain_text("$")
    expect(turn.locator("footer")).not_to_contain_text("unknown")
