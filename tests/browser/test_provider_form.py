"""The provider form where a provider asks for more than a key: Azure OpenAI, with the model behind each deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD
from tests.browser.steps import sign_in
from tests.fakes.azure import SECRET, FakeAzure
from tests.routekit.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

    from tests.fakes.anthropic import FakeAnthropic

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]


@pytest.fixture(scope="module")
def azure() -> Iterator[FakeAzure]:
    with FakeAzure() as fake:
        yield fake


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, vendor: FakeAnthropic, azure: FakeAzure) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("form") / "home"
    running = Stack(home, ROUTEKIT_ADMIN_PASSWORD=PASSWORD, ROUTEKIT_PRIVATE_HOSTS=f"{vendor.host},{azure.host}")
    try:
        running.wait_for("^Ready:", timeout=90)
        yield running
    finally:
        running.close()


def form(page: Page) -> Locator:
    sign_in(page)
    page.goto("/settings/providers/")
    shown = page.locator("#add")
    expect(shown.get_by_label("Provider", exact=True)).to_be_enabled()
    return shown


def add_deployment(shown: Locator, name: str, model: str) -> Locator:
    shown.get_by_role("button", name="Add deployment").click()
    row = shown.get_by_role("listitem").last
    expect(row.get_by_label("Deployment", exact=True)).to_be_focused()
    row.get_by_label("Deployment", exact=True).fill(name)
    row.get_by_label("Model", exact=True).fill(model)
    return row


def saved(page: Page, name: str) -> dict:
    rows = page.request.get("/api/user/llm-config").json()["results"]
    return next(row for row in rows if row["name"] == name)


def test_the_providers_are_grouped(page: Page) -> None:
    shown = form(page)
    groups = shown.locator("#provider optgroup")
    assert [group.get_attribute("label") for group in groups.all()] == ["Model vendors", "Clouds and gateways", "Your own servers"]
    for group, slug in (("Model vendors", "deepseek"), ("Clouds and gateways", "azure_openai"), ("Your own servers", "vllm")):
        expect(shown.locator(f'optgroup[label="{group}"] option[value="{slug}"]')).to_have_count(1)


def test_azure_with_a_key_and_the_models_behind_its_deployments(page: Page, azure: FakeAzure) -> None:
    shown = form(page)
    shown.get_by_label("Provider", exact=True).select_option("azure_openai")
    shown.get_by_label("Name", exact=True).fill("Azure by key")
    shown.get_by_label("Endpoint").fill(azure.base_url)
    shown.get_by_label("API key", exact=True).fill("azure-key-0123456789")
    expect(shown.locator("#model-hint")).to_have_text("Azure OpenAI lists no models: name one here, or under Deployments.")
    shown.get_by_role("button", name="Test connection").click()
    problem = shown.get_by_text("Azure OpenAI lists no deployments. Name one as the model, or under Deployments, to test it.")
    expect(problem).to_be_visible()
    row = add_deployment(shown, "chat-large", "gpt-5.1")
    row.get_by_text("More about it").click()
    row.get_by_label("Context window (tokens)").fill("300000")
    row.get_by_label("Takes", exact=True).select_option("Only these")
    row.get_by_label("image").check()
    add_deployment(shown, "chat-small", "gpt-4o-mini")
    shown.get_by_role("button", name="Test connection").click()
    expect(shown.get_by_text("It works.")).to_be_visible()
    expect(shown.locator("#result")).not_to_contain_text("found")
    expect(shown.locator("#model-hint")).to_have_text("2 models, as named under Deployments.")
    expect(shown.locator("#model option")).to_contain_text(["The first of the list", "chat-large", "chat-small"])
    shown.get_by_role("button", name="Save provider").click()
    listed = page.get_by_role("listitem").filter(has_text="Azure by key")
    expect(listed).to_contain_text("Valid")
    card = page.locator("details.models").filter(has_text="Azure by key")
    card.locator("summary").click()
    expect(card).to_contain_text("As named under Deployments; the provider lists none.")
    config = saved(page, "Azure by key")
    assert config["options"]["deployments"] == {
        "chat-large": {"model": "gpt-5.1", "context_window": 300_000, "inputs": ["image"]},
        "chat-small": "gpt-4o-mini",
    }
    assert config["options"]["api_style"] == "v1"
    models = {row["model"]: row for row in page.request.get("/api/models").json()["results"] if row["config"] == config["id"]}
    assert (models["chat-large"]["context_window"], models["chat-large"]["capabilities"]["inputs"]) == (300_000, ["text", "image"])
    assert models["chat-small"]["price"] is not None

    listed.get_by_label("More for Azure by key").click()
    listed.get_by_role("button", name="Edit").click()
    rows = shown.get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.first.get_by_label("Context window (tokens)")).to_have_value("300000")
    rows.last.get_by_role("button", name="Remove this deployment").click()
    expect(rows.first.get_by_label("Deployment", exact=True)).to_be_focused()
    with page.expect_response(lambda answer: answer.request.method == "PATCH" and answer.ok):
        shown.get_by_role("button", name="Save changes").click()
    changed = saved(page, "Azure by key")["options"]["deployments"]
    assert changed == {"chat-large": {"model": "gpt-5.1", "context_window": 300_000, "inputs": ["image"]}}


def test_azure_with_an_application_of_entra_id(page: Page, azure: FakeAzure) -> None:
    shown = form(page)
    shown.get_by_label("Provider", exact=True).select_option("azure_openai")
    shown.get_by_label("Name", exact=True).fill("Azure by Entra")
    shown.get_by_label("Endpoint").fill(azure.base_url)
    shown.get_by_text("Entra ID in place of a key").click()
    shown.get_by_label("Tenant ID").fill("tenant-1")
    shown.get_by_label("Client ID").fill("client-1")
    shown.get_by_label("Client secret").fill(SECRET)
    shown.get_by_label("Sign-in address").fill(azure.base_url)
    add_deployment(shown, "chat-large", "gpt-5.1")
    shown.get_by_role("button", name="Save provider").click()
    listed = page.get_by_role("listitem").filter(has_text="Azure by Entra")
    expect(listed).to_contain_text("Valid")
    expect(listed).to_contain_text("own credentials")
    listed.get_by_label("More for Azure by Entra").click()
    listed.get_by_role("button", name="Rotate key").click()
    secret = shown.get_by_label("Client secret")
    expect(secret).to_be_visible()
    expect(secret).to_have_value("")
    expect(secret).to_have_attribute("placeholder", "Leave it empty to keep what is stored.")
    expect(shown.get_by_label("Tenant ID")).to_have_value("tenant-1")


def test_what_is_wrong_is_said_at_its_place(page: Page) -> None:
    shown = form(page)
    shown.get_by_label("Provider", exact=True).select_option("azure_openai")
    shown.get_by_label("Endpoint").fill("https://ours.openai.azure.com")
    shown.get_by_label("API key", exact=True).fill("azure-key-0123456789")
    shown.get_by_text("Entra ID in place of a key").click()
    shown.get_by_label("Tenant ID").fill("tenant-1")
    shown.get_by_text("Entra ID in place of a key").click()
    row = add_deployment(shown, "gpt-4.1", "")
    save = shown.get_by_role("button", name="Save provider")
    row.get_by_text("More about it").click()
    row.get_by_label("Context window (tokens)").fill("9")
    save.click()
    expect(row.get_by_text("gpt-4.1 needs this: Model.")).to_be_visible()
    expect(row.get_by_label("Model", exact=True)).to_be_focused()
    row.get_by_label("Model", exact=True).fill("gpt-4.1")
    save.click()
    expect(shown.get_by_label("Client ID")).to_be_focused()
    expect(shown.get_by_text("Entra ID needs this beside the client secret.")).to_be_visible()
    add_deployment(shown, "gpt-4.1", "gpt-4.1")
    save.click()
    expect(shown.get_by_text("Deployment gpt-4.1 is there twice.")).to_be_visible()
