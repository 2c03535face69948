"""The main job as a person does it: sign in, watch the demo agent call tools, bring a key, go on with its model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.steps import KEY, add_config, say, sign_in
from tests.fakes.script import Answer, Call

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.fakes.anthropic import FakeAnthropic

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]


def test_sign_in_add_config_test_connection_chat_with_tools_switch_model(page: Page, vendor: FakeAnthropic) -> None:
    sign_in(page)

    # The demo agent answers by calling the demo service's real tools.
    say(page, "Which tickets are open?")
    log = page.get_by_role("log")
    expect(log.locator("summary").filter(has_text="search_tickets")).to_be_visible()
    expect(log.get_by_role("cell", name="T-1030")).to_be_visible()
    expect(page.get_by_role("button", name="Stop the answer")).to_be_hidden()
    conversation = page.url
    assert re.search(r"/c/[0-9a-f-]{36}/$", conversation)

    # A wrong key is refused in words, and nothing is saved.
    page.goto("/settings/providers/")
    page.get_by_label("Provider", exact=True).select_option(label="Anthropic")
    page.get_by_label("Name", exact=True).fill("Fake Anthropic")
    page.get_by_label("API key", exact=True).fill("sk-ant-wrong-0123456789-abcd")
    page.get_by_label("Base URL", exact=True).fill(vendor.base_url)
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_role("status").filter(has_text="Anthropic refused this key (401)")).to_be_visible()

    # The right one lists the models; one is picked and saved.
    page.get_by_label("API key", exact=True).fill(KEY)
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_role("status").filter(has_text="It works.")).to_be_visible()
    page.get_by_label("Model", exact=True).select_option(vendor.models[0])
    page.get_by_role("button", name="Save provider").click()
    row = page.get_by_role("listitem").filter(has_text="Fake Anthropic")
    expect(row).to_contain_text("…wxyz")
    expect(row).to_contain_text("Valid")
    assert KEY not in page.content()

    # The same conversation goes on with that model, which calls two tools at once.
    vendor.script(
        Answer(text=["Let me look."], calls=[Call("demo__search_tickets", {"status": "open"}), Call("demo__find_customers", {})]),
        Answer(text=["Eight tickets are open, ", "for ten customers."]),
    )
    page.goto(conversation)
    page.locator("#model-menu summary").click()
    page.locator("#model-menu label").filter(has_text=vendor.models[0]).first.click()
    page.keyboard.press("Escape")
    say(page, "And for how many customers?")
    expect(log.get_by_text("Eight tickets are open, for ten customers.")).to_be_visible()
    expect(log.locator("summary").filter(has_text="find_customers")).to_be_visible()
    first, second = vendor.calls[-2:]
    assert first.headers["Authorization"] == f"Bearer {KEY}"
    assert [message["role"] for message in first.body["messages"]][:3] == ["user", "assistant", "user"]
    results = second.body["messages"][-1]["content"]
    assert [result["type"] for result in results] == ["tool_result", "tool_result"]

    # What happened is still there after a reload.
    page.reload()
    expect(log.get_by_text("Eight tickets are open, for ten customers.")).to_be_visible()


def test_a_destructive_tool_asks_and_a_denial_is_heeded(page: Page) -> None:
    sign_in(page)
    page.get_by_role("button", name="New conversation").click()
    page.locator("#model-menu summary").click()
    page.locator("#model-menu label").filter(has_text="Demo").first.click()
    page.keyboard.press("Escape")
    say(page, "Close ticket T-1030")
    card = page.locator(".decide")
    expect(card).to_contain_text("close_ticket")
    expect(card).to_contain_text("T-1030")
    page.reload()  # the question outlives the page
    expect(card).to_contain_text("close_ticket")
    card.get_by_role("button", name="Deny").focus()
    page.keyboard.press("d")
    expect(card).to_be_hidden()
    expect(page.locator("summary").filter(has_text="close_ticket")).to_be_focused()
    expect(page.get_by_role("log").get_by_text(re.compile("denied", re.IGNORECASE)).last).to_be_visible()
    expect(page.get_by_role("button", name="Stop the answer")).to_be_hidden()


def test_an_answer_can_be_stopped(page: Page, vendor: FakeAnthropic) -> None:
    sign_in(page)
    add_config(page, vendor)
    page.reload()
    page.get_by_role("button", name="New conversation").click()
    page.locator("#model-menu summary").click()
    page.locator("#model-menu label").filter(has_text=vendor.models[0]).first.click()
    page.keyboard.press("Escape")
    vendor.script(Answer(text=[f"word{number} " for number in range(400)], pace=0.05))
    say(page, "Tell me a very long story")
    log = page.get_by_role("log")
    expect(log.get_by_text("word3")).to_be_visible()
    page.get_by_role("button", name="Stop the answer").click()
    expect(page.get_by_role("button", name="Stop the answer")).to_be_hidden()
    expect(log.get_by_text(re.compile("Stopped|Cancelled", re.IGNORECASE)).last).to_be_visible()
    assert vendor.wait_for(lambda fake: fake.calls[-1].outcome == "left")


def test_the_model_shown_is_the_one_that_answers(page: Page, vendor: FakeAnthropic) -> None:
    sign_in(page)
    before = page.locator("#model-name").inner_text()
    add_config(page, vendor, name="Untested", model="")  # as imported from the environment: no model yet
    page.reload()
    expect(page.get_by_role("textbox", name="Message")).to_be_enabled()
    assert before != "No model yet"
    expect(page.locator("#model-name")).to_have_text(before)


def test_an_answer_that_reached_the_limit_says_so(page: Page, vendor: FakeAnthropic) -> None:
    sign_in(page)
    add_config(page, vendor, name="Short")
    page.reload()
    expect(page.locator("#model-name")).to_have_text(vendor.models[0])
    vendor.script(Answer(text="It begins", finish="max_tokens"))
    say(page, "Tell me everything")
    told = page.get_by_role("status").filter(has_text="reached its limit")
    expect(told).to_be_visible()
    page.reload()
    expect(told).to_be_visible()


def test_a_question_asked_from_a_menu_gives_the_focus_back(page: Page, vendor: FakeAnthropic) -> None:
    sign_in(page)
    add_config(page, vendor, name="Short-lived")
    page.goto("/settings/providers/")
    menu = page.get_by_role("listitem").filter(has_text="Short-lived").locator("summary")
    for end in ("Escape", "Enter"):
        menu.press("Enter")
        page.get_by_role("button", name="Delete", exact=True).press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        if end == "Escape":
            page.keyboard.press("Escape")
            expect(menu).to_be_focused()
    page.get_by_role("button", name="Delete provider").press("Enter")
    expect(menu).to_be_hidden()
    expect(page.get_by_role("heading", name="Only you")).to_be_focused()
