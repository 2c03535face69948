"""The organization and tokens pages: people, invitations, the policy, tokens, and belonging to several or none."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD
from tests.browser.steps import add_config, sign_in
from tests.routekit.stack import ROOT, environment

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.fakes.anthropic import FakeAnthropic
    from tests.routekit.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]
JOIN = """
from llmconfig.tenancy.accounts import create_user_with_organization
from llmconfig.tenancy.models import Membership, User
of_admin = User.objects.get(username="admin").memberships.get(organization__slug="admin").organization
create_user_with_organization(username={name!r}, password={password!r}, email="{name}@example.com", organization=of_admin, role={role!r})
"""


def join(stack: Stack, name: str, role: str = "member") -> None:
    """As a member who accepted an invitation."""
    code = JOIN.format(name=name, role=role, password=PASSWORD)
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", code], cwd=ROOT, env=environment(ROUTEKIT_HOME=str(stack.home)), check=True, timeout=60
    )


def become(stack: Stack, name: str, role: str) -> None:
    code = f"from llmconfig.tenancy.models import Membership; Membership.objects.filter(user__username={name!r}).update(role={role!r})"
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", code], cwd=ROOT, env=environment(ROUTEKIT_HOME=str(stack.home)), check=True, timeout=60
    )


def row_of(page: Page, name: str) -> Locator:
    return page.locator("#members li").filter(has_text=name)


def toast(page: Page, words: str) -> None:
    expect(page.locator("#toasts").get_by_text(words)).to_be_visible()


def test_an_owner_gives_roles_and_removes(page: Page, stack: Stack) -> None:
    join(stack, "bob")
    sign_in(page)
    page.goto("/organization/")
    role = page.get_by_label("Role of bob")
    expect(role).to_have_value("member")
    role.select_option("auditor")
    toast(page, "bob is auditor now")
    page.reload()
    expect(role).to_have_value("auditor")

    mine = page.get_by_label("Role of admin")
    mine.select_option("viewer")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(mine).to_have_value("owner")
    mine.select_option("viewer")
    page.get_by_role("dialog").get_by_role("button", name="Change my role").click()
    toast(page, "last owner")
    expect(mine).to_have_value("owner")

    page.get_by_label("More for bob").press("Enter")
    page.get_by_role("button", name="Remove").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Remove").press("Enter")
    expect(row_of(page, "bob")).to_have_count(0)
    expect(page.locator("#members-sum")).to_have_text("1 person")


def test_a_link_is_made_renewed_and_revoked(page: Page) -> None:
    sign_in(page)
    page.goto("/organization/")
    invite = page.get_by_role("button", name="Invite")
    expect(invite).to_be_enabled()
    invite.press("Enter")
    dialog = page.get_by_role("dialog")
    email = dialog.get_by_label("E-mail")
    expect(email).to_be_focused()
    email.fill("nobody")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("valid email")
    expect(email).to_be_focused()
    email.fill("zoe@example.com")
    dialog.get_by_label("Role").select_option("viewer")
    page.keyboard.press("Enter")
    link = dialog.get_by_label("Link", exact=True)
    expect(link).to_be_focused()
    first = link.input_value()
    assert first.startswith(page.url.replace("/organization/", "/accounts/invitation/"))
    expect(dialog).to_contain_text("it was not sent")
    page.keyboard.press("Escape")
    row = page.locator("#invitations li").filter(has_text="zoe@example.com")
    expect(row).to_contain_text("Open")

    row.locator("summary").click()
    row.get_by_role("button", name="New link").click()
    expect(link).not_to_have_value("")
    assert link.input_value() != first
    dialog.get_by_role("button", name="Done").click()
    row.locator("summary").click()
    row.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.locator("#invitations")).to_contain_text("No invitation is open")


def test_the_policy_is_saved_refused_at_its_field_and_seen_where_it_holds(page: Page, vendor: FakeAnthropic) -> None:
    sign_in(page)
    add_config(page, vendor, name="Ours")
    page.goto("/organization/")
    form = page.locator("#policy")
    hosts = form.get_by_role("group", name="Hosts")
    hosts.get_by_text("Only these").click()
    hosts.get_by_label("Allowed hosts").fill("https://api.anthropic.com")
    form.get_by_role("button", name="Save policy").click()
    expect(hosts.get_by_role("alert")).to_contain_text("without https://")
    hosts.get_by_label("Allowed hosts").fill("api.anthropic.com\n*.example.com")
    form.get_by_label("Delete conversations").fill("x")
    form.get_by_role("button", name="Save policy").click()
    page.get_by_role("dialog").get_by_role("button", name="Save policy").click()
    expect(form.locator("[data-field=retention_days] .error")).to_contain_text("integer")
    form.get_by_label("Delete conversations").fill("")
    form.get_by_role("group", name="Providers").get_by_text("Only these").click()
    form.get_by_label("Anthropic", exact=True).check()
    form.get_by_role("button", name="Save policy").click()
    toast(page, "Policy saved")
    page.reload()
    expect(hosts.get_by_label("Allowed hosts")).to_have_value("api.anthropic.com\n*.example.com")
    expect(form.get_by_label("Anthropic", exact=True)).to_be_checked()

    page.goto("/settings/providers/")
    expect(page.locator("li.provider").filter(has_text="Ours")).to_contain_text("does not allow the host")
    expect(page.locator("li.provider").filter(has_text="Demo provider")).to_contain_text("It allows Anthropic.")

    page.goto("/organization/")
    hosts.get_by_text("Any", exact=True).click()
    form.get_by_role("group", name="Providers").get_by_text("Any", exact=True).click()
    form.get_by_role("button", name="Save policy").click()
    toast(page, "Policy saved")


def test_a_token_is_shown_once_and_works(page: Page) -> None:
    sign_in(page)
    page.goto("/settings/tokens/")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#make").get_by_role("alert")).to_be_visible()
    page.get_by_label("Name").fill("nightly report")
    page.get_by_label("Read", exact=False).first.check()
    page.keyboard.press("Enter")
    value = page.get_by_label("Copy it now.").input_value()
    listed = page.locator("#tokens li").filter(has_text="nightly report")
    expect(listed).to_contain_text(value[:8])
    expect(listed).to_contain_text("never used")
    answer = page.request.get("/api/models", headers={"Authorization": f"Bearer {value}"})
    assert answer.status == 200
    page.reload()
    expect(listed).to_contain_text("used just now")
    expect(page.get_by_label("Copy it now.")).to_have_count(0)
    page.get_by_text("Everybody").click()
    expect(listed).to_contain_text("admin")
    listed.get_by_role("button", name="Revoke nightly report").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.locator("#tokens")).to_contain_text("There is no token yet")
    assert page.request.get("/api/models", headers={"Authorization": f"Bearer {value}"}).status == 401


def test_founding_switching_deleting_and_leaving_until_there_is_none(page: Page, stack: Stack) -> None:
    join(stack, "carol", "viewer")
    page.goto("/organization/")
    page.get_by_label("user name").fill("carol")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator("#policy-facts")).to_contain_text("any")
    expect(page.get_by_role("button", name="Invite")).to_have_count(0)
    expect(row_of(page, "admin")).not_to_contain_text("@")

    page.get_by_role("link", name="Found another").click()
    page.get_by_label("Name of the organization").fill("Carols")
    page.keyboard.press("Enter")
    switch = page.locator(".organization-switch")
    expect(switch.locator("summary")).to_contain_text("Carols")
    switch.locator("summary").press("Enter")
    switch.get_by_role("button", name="admin").press("Enter")
    expect(switch.locator("summary")).to_contain_text("admin")

    page.goto("/organization/")
    page.get_by_role("button", name="Leave").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_enabled()
    expect(switch).to_have_count(0)
    expect(page.locator(".topbar")).to_contain_text("Carols")
    page.goto("/organization/")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_label("Organization").fill("wrong")
    page.keyboard.press("Enter")
    toast(page, "Write carols to confirm")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_label("Organization").fill("carols")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="You are in no organization")).to_be_visible()
    page.get_by_label("Name of the organization").fill("Again")
    page.get_by_role("button", name="Found an organization").click()
    expect(page.locator(".topbar")).to_contain_text("Again")


@pytest.mark.parametrize("role", ["viewer", "auditor", "member"])
def test_pages_offer_what_the_role_may_do(page: Page, stack: Stack, role: str) -> None:
    refused: list[str] = []
    join(stack, f"as-{role}")
    sign_in(page, f"as-{role}")
    become(stack, f"as-{role}", role)
    page.on("response", lambda answer: refused.append(answer.url) if answer.status == 403 else None)
    page.goto("/")
    has_own = role == "member"
    expect(page.locator("#message")).to_have_count(1 if has_own else 0)
    expect(page.get_by_role("heading", name=f"No conversations as {role}")).to_have_count(0 if has_own else 1)
    expect(page.locator("main").get_by_role("link", name="Audit")).to_have_count(1 if role == "auditor" else 0)

    page.goto("/settings/providers/")
    shared = page.locator("#shared-configs li").first
    expect(shared).to_contain_text("Demo provider")
    expect(page.locator("#add")).to_have_count(1 if has_own else 0)
    expect(page.locator("#shared")).to_be_hidden()
    expect(shared.get_by_role("button", name="Test Demo provider")).to_have_count(1 if has_own else 0)
    for name in ("Edit", "Delete"):
        expect(shared.get_by_role("button", name=name, include_hidden=True)).to_have_count(0)

    page.goto("/settings/services/")
    demo = page.locator("#services li").first
    demo.get_by_text("Tools and policies").click()
    expect(demo.get_by_role("radio").first).to_be_disabled()
    expect(page.locator("#connect")).to_have_count(1 if has_own else 0)
    expect(demo.get_by_role("button", name="Delete", include_hidden=True)).to_have_count(0)
    assert refused == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen(page: Page, scheme: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    sign_in(page)
    for path in ("/organization/", "/settings/tokens/"):
        page.goto(path)
        expect(page.locator("[data-wait]")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
