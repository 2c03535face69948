"""What a person does in most tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.fakes.anthropic import FakeAnthropic

KEY = "sk-ant-alice-0123456789-wxyz"


def sign_in(page: Page, username: str = "admin", *, at: str | None = "/") -> None:
    """at: the page to go to first; None for the sign-in page that is open."""
    if at is not None:
        page.goto(at)
    page.get_by_label("user name").fill(username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("textbox", name="Message")).to_be_enabled()


def add_config(page: Page, vendor: FakeAnthropic, *, name: str = "Fake", model: str | None = None) -> None:
    """What the settings page does, in one call. model: the vendor's first by default."""
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    model = vendor.models[0] if model is None else model
    body = {"name": name, "provider_type": "anthropic", "api_key": KEY, "base_url": vendor.base_url, "model": model}
    answer = page.request.post("/api/user/llm-config", data=body, headers={"X-CSRFToken": token, "Referer": page.url})
    assert answer.status == 201, answer.text()


def say(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message").fill(text)
    page.keyboard.press("Enter")
