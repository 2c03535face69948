"""What the pages do away from the main job: expired sign-ins, missing conversations, other tabs, silence."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD
from tests.browser.steps import add_config, say, sign_in
from tests.fakes.script import Answer, Failure

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.fakes.anthropic import FakeAnthropic
    from tests.routekit.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]


def message(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message")


def add_user(page: Page, name: str) -> None:
    page.goto("/admin/llmconfig/user/add/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password:", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()


def expire(page: Page) -> None:
    page.context.clear_cookies(name="routekit_session")


def test_what_was_written_when_the_sign_in_expired_comes_back_once(page: Page) -> None:
    sign_in(page)
    expire(page)
    say(page, "Which tickets are open?")
    expect(page.get_by_label("user name")).to_be_visible()
    sign_in(page, at=None)
    expect(message(page)).to_have_value("Which tickets are open?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log").get_by_role("cell", name="T-1030")).to_be_visible()
    expect(message(page)).to_have_value("")
    page.goto("/")
    expect(message(page)).to_be_enabled()
    expect(message(page)).to_have_value("")


def test_it_comes_back_in_its_conversation_alone(page: Page) -> None:
    sign_in(page)
    say(page, "Which tickets are open?")
    expect(page.get_by_role("log").get_by_role("cell", name="T-1030")).to_be_visible()
    expect(page.get_by_role("button", name="Stop the answer")).to_be_hidden()
    conversation = page.url
    expire(page)
    say(page, "And whose are they?")
    expect(page.get_by_label("user name")).to_be_visible()
    sign_in(page)  # at another page than the one left
    expect(message(page)).to_have_value("")
    page.goto(conversation)
    expect(message(page)).to_have_value("And whose are they?")


def test_nobody_else_gets_it(page: Page) -> None:
    sign_in(page)
    add_user(page, "bob")
    page.goto("/")
    expect(message(page)).to_be_enabled()
    expire(page)
    say(page, "For the admin alone")
    expect(page.get_by_label("user name")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 1
    sign_in(page, "bob", at=None)
    expect(message(page)).to_have_value("")
    assert page.evaluate("sessionStorage.length") == 0


def test_a_conversation_that_does_not_exist_takes_no_message(page: Page) -> None:
    sign_in(page)
    page.goto("/c/00000000-0000-4000-8000-000000000000/")
    expect(page.get_by_role("alert")).to_contain_text("There is no such conversation.")
    expect(page.locator("#send")).not_to_have_attribute("data-wait", "")
    expect(message(page)).to_be_disabled()
    expect(page.locator("#send")).to_be_disabled()
    page.get_by_role("button", name="New conversation").click()
    expect(message(page)).to_be_enabled()


def test_what_another_tab_does_is_seen_without_a_reload(page: Page) -> None:
    sign_in(page)
    say(page, "Which tickets are open?")
    log = page.get_by_role("log")
    expect(log.get_by_role("cell", name="T-1030")).to_be_visible()
    expect(page.get_by_role("button", name="Stop the answer")).to_be_hidden()
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("log").get_by_role("cell", name="T-1030")).to_be_visible()

    say(page, "Close ticket T-1031")  # waits for an approval: a run under way
    expect(page.locator(".decide")).to_contain_text("T-1031")
    other.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(other.locator(".msg.user")).to_have_text(["Which tickets are open?", "Close ticket T-1031"])
    other.get_by_role("button", name="Deny").click()
    expect(page.locator(".decide")).to_be_hidden()
    expect(page.get_by_role("button", name="Stop the answer")).to_be_hidden()
    expect(other.get_by_role("button", name="Stop the answer")).to_be_hidden()

    say(other, "How many customers are there?")  # and back, once it is over, by the clock
    expect(page.locator(".msg.user")).to_have_count(3)
    expect(other.locator(".msg.user")).to_have_count(3)


def test_the_api_reference_keeps_to_its_content_policy(page: Page) -> None:
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text))
    page.goto("/api/docs/")
    expect(page.get_by_role("heading", name="routekit")).to_be_visible()
    page.locator(".opblock-summary-control").first.click()
    expect(page.locator(".opblock-body").first).to_be_visible()
    assert said == []


def test_an_attempt_that_failed_before_any_usage_has_none(page: Page, vendor: FakeAnthropic) -> None:
    sign_in(page)
    add_config(page, vendor)
    page.reload()
    expect(page.locator("#model-name")).to_have_text(vendor.models[0])
    vendor.script(Failure(401))
    say(page, "Hello")
    turn = page.get_by_role("article", name="Assistant")
    expect(turn).to_contain_text("The run failed.")
    turn.get_by_role("button", name="Inspect this run").click()
    expect(page.locator("#inspector-body .attempt .detail")).to_have_text("no usage")
    expect(page.locator("#inspector-body dl")).to_contain_text("Costnone")
    expect(turn.locator("footer")).not_to_contain_text("unknown")


def test_a_run_of_which_nothing_is_heard_says_so(page: Page, stack: Stack, vendor: FakeAnthropic) -> None:
    sign_in(page)
    add_config(page, vendor, name="Slow")
    page.reload()
    expect(page.locator("#model-name")).to_have_text(vendor.models[0])
    vendor.script(Answer(text=[f"word{number} " for number in range(40)], pace=0.1))
    say(page, "Tell me a story")
    log = page.get_by_role("log")
    silence = log.get_by_text("Nothing new for some seconds.")
    expect(log.get_by_text("word3")).to_be_visible()
    worker = stack.pid_of("worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        expect(silence).to_be_visible()
    finally:
        os.kill(worker, signal.SIGCONT)
    expect(silence).to_be_hidden()
    expect(log.get_by_text("word39")).to_be_visible()
