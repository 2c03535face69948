"""A key is replaced on the providers page: who depends on it, a refusal in words, saved all the same, undone, destroyed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.steps import add_config, say, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.fakes.anthropic import FakeAnthropic

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]
NAME = "Rotating"


def row_of(page: Page) -> Locator:
    return page.get_by_role("listitem").filter(has_text=NAME).filter(has=page.get_by_role("button", name=f"Test {NAME}"))


def choose(page: Page, action: str) -> None:
    row = row_of(page)
    row.locator(f'summary[aria-label="More for {NAME}"]').click()
    row.get_by_role("button", name=action, exact=True).click()


def test_a_key_is_replaced_undone_and_destroyed(page: Page, vendor: FakeAnthropic) -> None:
    sign_in(page)
    add_config(page, vendor, name=NAME)
    page.goto("/settings/providers/")
    row_of(page).get_by_role("button", name=f"Test {NAME}").click()
    expect(row_of(page)).to_contain_text("It works.")

    # Whoever depends on it is told before anything is done.
    config = next(each for each in page.request.get("/api/user/llm-config").json()["results"] if each["name"] == NAME)
    page.goto("/")
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    headers = {"X-CSRFToken": token, "Referer": page.url}
    target = {"model": f"{config['id']}/{vendor.models[0]}"}
    conversation = page.request.post("/api/conversations", data={"target": target}, headers=headers).json()
    page.goto(f"/c/{conversation['id']}/")
    say(page, "Hello")
    expect(page.get_by_role("article").last).to_be_visible()
    page.goto("/settings/providers/")
    choose(page, "Rotate key")
    expect(row_of(page)).to_contain_text("1 person used it in the last 30 days, 1 conversation points at it")
    key = row_of(page).get_by_label("New API key")
    expect(key).to_be_focused()

    # What is no key at all is told, and cannot be saved.
    key.fill("two words")
    page.keyboard.press("Enter")
    alert = row_of(page).get_by_role("alert")
    expect(alert).to_contain_text("one line of ASCII characters")
    expect(row_of(page).get_by_role("button", name="Save all the same")).to_be_hidden()

    # One that its provider refuses is not saved, and may be all the same.
    key.fill("sk-ant-wrong-0123456789-nope")
    page.keyboard.press("Enter")
    expect(alert).to_contain_text("The new key was not saved")
    expect(alert).to_contain_text("(…wxyz) stays in use")
    expect(key).to_be_focused()
    row_of(page).get_by_role("button", name="Save all the same").click()
    expect(row_of(page)).to_contain_text("…nope")
    expect(row_of(page)).to_contain_text("The replaced key …wxyz is kept sealed, and destroyed in 24 hours.")
    expect(row_of(page)).to_contain_text("The key was refused.")

    # It takes over again, and the other is kept in its place until it is destroyed.
    row_of(page).get_by_role("button", name=f"Bring the replaced key of {NAME} back").click()
    expect(row_of(page)).to_contain_text("It works.")
    expect(row_of(page)).to_contain_text("The replaced key …nope is kept sealed")
    row_of(page).get_by_role("button", name=f"Destroy the replaced key of {NAME} now").click()
    page.get_by_role("dialog").get_by_role("button", name="Destroy key").click()
    expect(row_of(page)).not_to_contain_text("The replaced key")

    # Destroyed elsewhere meanwhile, it is not offered any longer.
    one = f"/api/user/llm-config/{config['id']}"
    assert page.request.patch(f"{one}?validate=false", data={"api_key": "sk-ant-third-0123456789-last"}, headers=headers).status == 200
    page.reload()
    expect(row_of(page)).to_contain_text("The replaced key …wxyz is kept sealed")
    assert page.request.delete(f"{one}/retired-keys", headers=headers).status == 204
    row_of(page).get_by_role("button", name=f"Bring the replaced key of {NAME} back").click()
    expect(page.get_by_text("The former key was not brought back")).to_be_visible()
    expect(row_of(page)).not_to_contain_text("The replaced key")

    # Whoever would be left without the config is told, too.
    choose(page, "Delete")
    expect(page.get_by_role("dialog")).to_contain_text("1 conversation points at it")
    page.get_by_role("dialog").get_by_role("button", name="Delete provider").click()
    expect(row_of(page)).to_have_count(0)
