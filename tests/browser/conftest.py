"""A real browser on a real stack: `make up` with the demo service, and a fake Anthropic on loopback."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from tests import chromium
from tests.fakes.anthropic import FakeAnthropic
from tests.routekit.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

PASSWORD = "alice-has-a-long-password"
expect.set_options(timeout=20_000)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def vendor() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as fake:
        yield fake


@pytest.fixture(scope="session")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a first start leaves: its migrations take longer than all the rest of a start."""
    home = tmp_path_factory.mktemp("first") / "home"
    running = Stack(home, ROUTEKIT_ADMIN_PASSWORD=PASSWORD)
    try:
        running.wait_for("^Ready:", timeout=90)
    finally:
        running.close()
    return home


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, first_home: Path, vendor: FakeAnthropic) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("browser") / "home"
    shutil.copytree(first_home, home)
    running = Stack(home, ROUTEKIT_PRIVATE_HOSTS=vendor.host)
    try:
        running.wait_for("^Ready:", timeout=90)
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium.required(), args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page of a fresh visitor. The test fails for an error in the page's scripts or the server, or a violation of its content policy."""
    context = browser.new_context(base_url=stack.url, viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None)
    opened.on("response", lambda answer: problems.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None)
    yield opened
    context.close()
    assert problems == []
