"""Files in the chat: attach, see, ask; and what a model cannot read is said before it is sent."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.agent import files
from tests.browser.conftest import PASSWORD
from tests.browser.steps import sign_in
from tests.fakes.openai import FakeOpenAI
from tests.fakes.script import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.routekit.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]
SHOT = files.png(400, 200, shade=120)


@pytest.fixture(scope="module")
def openai() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        yield fake


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, openai: FakeOpenAI) -> Iterator[Stack]:
    from tests.routekit.stack import Stack

    running = Stack(tmp_path_factory.mktemp("browser") / "home", ROUTEKIT_ADMIN_PASSWORD=PASSWORD, ROUTEKIT_PRIVATE_HOSTS=openai.host)
    try:
        running.wait_for("^Ready:", timeout=90)
        yield running
    finally:
        running.close()


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    path = tmp_path / "shot.png"
    path.write_bytes(SHOT)
    return path


def add_openai(page: Page, vendor: FakeOpenAI) -> None:
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    body = {"name": "Fake", "provider_type": "openai", "api_key": "sk-test-0123456789-wxyz", "base_url": vendor.base_url}
    answer = page.request.post(
        "/api/user/llm-config", data=body | {"model": vendor.models[0]}, headers={"X-CSRFToken": token, "Referer": page.url}
    )
    assert answer.status == 201, answer.text()


def choose(page: Page, name: str) -> None:
    page.locator("#model-menu summary").click()
    page.locator("#model-menu label").filter(has_text=name).first.click()
    page.keyboard.press("Escape")


def test_an_image_is_attached_seen_and_asked_about(page: Page, openai: FakeOpenAI, shot: Path) -> None:
    sign_in(page)
    add_openai(page, openai)
    page.reload()
    openai.script(Answer(text="A grey wall."))
    page.locator("#files").set_input_files(shot)
    chip = page.get_by_role("list", name="Attached files").get_by_role("listitem")
    expect(chip).to_have_attribute("data-state", "ready")
    expect(chip).to_contain_text("shot.png")
    expect(chip.locator("img")).to_have_js_property("naturalWidth", 400)
    page.get_by_role("textbox", name="Message").fill("What is this?")
    page.keyboard.press("Enter")
    log = page.get_by_role("log")
    expect(log.get_by_text("A grey wall.")).to_be_visible()
    expect(chip).to_be_hidden()
    image = log.get_by_role("img", name="shot.png")
    expect(image).to_have_js_property("naturalWidth", 400)
    content = openai.calls[-1].body["input"][-1]["content"]
    assert content[0]["image_url"] == f"data:image/png;base64,{base64.b64encode(SHOT).decode()}"
    assert content[1]["text"] == "What is this?"
    page.reload()
    expect(image).to_have_js_property("naturalWidth", 400)
    with page.expect_popup() as opened:
        image.click()
    expect(opened.value.locator("img")).to_be_visible()
    assert opened.value.url == page.url.split("/c/")[0] + image.get_attribute("src")


def test_a_message_may_be_nothing_but_a_file(page: Page, openai: FakeOpenAI, tmp_path: Path) -> None:
    sign_in(page)
    page.get_by_role("button", name="New conversation").click()
    (tmp_path / "notes.md").write_text("# Remember the milk")
    openai.script(Answer(text="Milk, then."))
    page.locator("#files").set_input_files(tmp_path / "notes.md")
    expect(page.locator("#tray .chip")).to_have_attribute("data-state", "ready")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("log").get_by_text("Milk, then.")).to_be_visible()
    expect(page.get_by_role("log").get_by_role("link", name="notes.md")).to_be_visible()
    expect(page.locator("#title")).to_have_text("notes.md")
    assert "# Remember the milk" in str(openai.calls[-1].body["input"][-1]["content"])


def test_what_a_model_cannot_read_is_said_before_it_is_sent(page: Page, openai: FakeOpenAI, shot: Path) -> None:
    sign_in(page)
    page.get_by_role("button", name="New conversation").click()
    choose(page, "Demo")
    attach = page.get_by_role("button", name="Attach files")
    expect(attach).to_have_attribute(
        "title", "Attach text files. Demo provider reads no images, PDFs or other media: choose another model for those"
    )
    page.locator("#files").set_input_files(shot)
    problem = page.get_by_role("alert").filter(has_text="Demo provider cannot read images. Remove it, or choose another model.")
    expect(problem).to_be_visible()
    send = page.get_by_role("button", name="Send")
    expect(send).to_have_attribute("aria-disabled", "true")
    choose(page, openai.models[0])
    expect(problem).to_be_hidden()
    expect(send).not_to_have_attribute("aria-disabled", "true")
    page.get_by_role("button", name="Remove shot.png").press("Enter")
    expect(page.locator("#tray")).to_be_hidden()
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    expect(send).to_have_attribute("aria-disabled", "true")


def test_what_the_server_refuses_says_why_and_goes_when_removed(page: Page, tmp_path: Path) -> None:
    sign_in(page)
    (tmp_path / "photo.png").write_bytes(b"PK\x03\x04" + bytes(60))
    page.locator("#files").set_input_files(tmp_path / "photo.png")
    refused = page.get_by_role("alert").filter(has_text="“photo.png” is of no type that can be sent.")
    expect(refused).to_be_visible()
    page.get_by_role("button", name="Remove photo.png").click()
    expect(refused).to_be_hidden()


def test_files_are_dropped_and_pasted(page: Page) -> None:
    sign_in(page)
    code = """([where, kind, data]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(data), (char) => char.charCodeAt(0))], `${kind}.png`, { type: "image/png" }));
        const target = document.querySelector(where);
        const event = kind === "paste"
            ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true })
            : new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
        target.dispatchEvent(event);
    }"""
    for where, kind, shade in (("#log", "dragenter", 1), ("#log", "drop", 2), ("#message", "paste", 3)):
        page.evaluate(code, [where, kind, base64.b64encode(files.png(9, 9, shade)).decode()])
        if kind == "dragenter":
            expect(page.locator("#main[data-drop]")).to_be_visible()
    expect(page.locator("#main[data-drop]")).to_have_count(0)
    chips = page.locator("#tray .chip")
    expect(chips).to_have_count(2)
    for number in range(2):
        expect(chips.nth(number)).to_have_attribute("data-state", "ready")
