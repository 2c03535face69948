"""An account in a real browser: authenticator app, recovery codes, a passkey; and no page breaks its content policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD
from tests.browser.steps import sign_in
from tests.llmconfig.web.totp import code_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.routekit.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.xdist_group("stack")]
PAGES = [
    "/",
    "/settings/providers/",
    "/settings/services/",
    "/admin/",
    "/admin/llmconfig/user/",
    "/admin/llmconfig/user/add/",
    "/admin/llmconfig/organization/",
    "/admin/mfa/authenticator/",
    "/admin/usersessions/usersession/",
    "/admin/account/emailaddress/",
    "/admin/socialaccount/socialaccount/",
    "/admin/password_change/",
    "/api/docs/",
    "/there-is-nothing-here",
    "/accounts/",
    "/accounts/sessions/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/passkeys/",
    "/accounts/2fa/passkeys/add/",
    "/accounts/2fa/recovery-codes/generate/",
    "/accounts/reauthenticate/",
    "/accounts/sso/connections/",
    "/accounts/sso/error/",
    "/accounts/sso/cancelled/",
    "/accounts/inactive/",
    "/accounts/logout/",
    "/accounts/invitation/nobody-has-this/",
]
ENTRANCE = [
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/inactive/",
    "/accounts/invitation/x/",
    "/accounts/sso/error/",
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_its_content_policy(page: Page, scheme: Any) -> None:
    """The fixture fails the test for a violation, an error in a script, a 5xx."""
    page.emulate_media(color_scheme=scheme)
    for path in ENTRANCE:
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
    sign_in(page)
    for path in PAGES:
        page.goto(path)
        if path == "/api/docs/":
            expect(page.locator(".opblock").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path


def test_account_pages_fit_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page)
    for path in (each for each in PAGES if each.startswith("/accounts/")):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= 390"), path


def test_an_app_a_code_and_a_passkey(page: Page, stack: Stack) -> None:
    origin = stack.url.replace("127.0.0.1", "localhost")  # a passkey belongs to a name, not to an address
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    sign_in(page, at=f"{origin}/")

    page.locator("summary", has=page.get_by_text("Account menu")).click()
    page.get_by_role("link", name="Account and MFA").last.click()
    page.get_by_role("link", name="Set up").click()
    page.get_by_role("link", name="Set up").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    secret = page.get_by_label("Or enter this key by hand").input_value()
    page.get_by_label("Code", exact=True).fill(code_of(secret))
    page.get_by_role("button", name="Switch on").click()
    codes = page.locator("#recovery-codes").inner_text().split()
    assert len(codes) == 10
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.path().read_text().split() == codes
    page.get_by_role("link", name="I have kept them").click()

    page.get_by_role("link", name="Add").click()
    page.get_by_label("Sign in with it alone").check()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("1 added")).to_be_visible()

    page.goto(f"{origin}/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_enabled()

    page.goto(f"{origin}/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.get_by_label("user name").fill("admin")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Confirm", exact=True).click()
    expect(page.get_by_role("textbox", name="Message")).to_be_enabled()
