"""The thinking menu of the chat: shown where the model thinks, and what was chosen goes with the next message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.steps import add_config, say, sign_in
from tests.fakes.script import Answer

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.fakes.anthropic import FakeAnthropic

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]


def choose_model(page: Page, name: str) -> None:
    page.locator("#model-menu summary").click()
    page.locator("#model-menu label").filter(has_text=name).first.click()
    expect(page.locator("#model-name")).to_have_text(name)


def test_how_much_the_model_thinks_is_chosen_for_the_conversation(page: Page, vendor: FakeAnthropic) -> None:
    vendor.models = ["claude-sonnet-4-6", "claude-3-5-haiku-20241022"]
    sign_in(page)
    for model in vendor.models:
        add_config(page, vendor, name=model, model=model)
    page.reload()
    menu, choice = page.locator("#thinking-menu"), page.locator("#thinking-choice")
    choose_model(page, vendor.models[1])
    expect(menu).to_be_hidden()
    choose_model(page, vendor.models[0])
    expect(choice).to_have_text("Default")
    menu.locator("summary").click()
    expect(menu.get_by_label("Default")).to_be_focused()
    page.keyboard.press("ArrowUp")  # a click closes the menu by itself, and the next key would open it again
    expect(menu.get_by_label("High")).to_be_checked()
    page.keyboard.press("Enter")  # ends the choice, and sends nothing
    expect(menu.locator("summary")).to_be_focused()
    expect(choice).to_have_text("High")
    vendor.script(Answer("Hello", thinking="hm"), Answer("Bye"))
    say(page, "Hi")
    expect(page.get_by_role("log").get_by_text("Hello")).to_be_visible()
    assert vendor.calls[-1].body is not None
    assert vendor.calls[-1].body["thinking"]["type"] == "adaptive"
    assert vendor.calls[-1].body["output_config"] == {"effort": "high"}

    page.reload()
    expect(choice).to_have_text("High")
    menu.locator("summary").click()
    menu.get_by_label("Off").click()
    expect(choice).to_have_text("Off")
    say(page, "And now?")
    expect(page.get_by_role("log").get_by_text("Bye")).to_be_visible()
    assert vendor.calls[-1].body is not None
    assert vendor.calls[-1].body["thinking"] == {"type": "disabled"}
