"""Single sign-on by OpenID Connect against an issuer of our own: the whole flow, and every answer that must be refused."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from llmconfig.services.invitations import digest_of
from llmconfig.tenancy.audit import AuditEvent
from llmconfig.tenancy.models import Invitation, Membership, Role, User
from routekit import single_sign_on
from tests.fakes.oidc import OTHER_KEY, FakeIssuer
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.llmconfig.people import Person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
LOGIN, CALLBACK = "/accounts/oidc/sso/login/", "/accounts/oidc/sso/login/callback/"


@pytest.fixture
def issuer(settings: Any) -> Iterator[FakeIssuer]:
    with FakeIssuer() as fake:
        settings.PRIVATE_HOSTS = [fake.host]
        given = {
            "ROUTEKIT_OIDC_ISSUER": fake.issuer,
            "ROUTEKIT_OIDC_CLIENT_ID": fake.client_id,
            "ROUTEKIT_OIDC_CLIENT_SECRET": fake.client_secret,
            "ROUTEKIT_OIDC_NAME": "Meridian",
            "ROUTEKIT_OIDC_DOMAINS": "meridian.example",
            "ROUTEKIT_OIDC_GROUP_ROLES": "watchers=auditor",
        }
        settings.OIDC = single_sign_on.oidc(lambda name, default="": given.get(name, default))
        yield fake


def come_back(client: Client, issuer: FakeIssuer, **changed: str) -> Any:
    """Leaves for the issuer, signs in there, and is sent back."""
    left = client.get(LOGIN)
    assert left.status_code == 302, left.content
    return client.get(CALLBACK, {**issuer.authorize(left.headers["Location"]), **changed})


def is_signed_in(client: Client) -> bool:
    return client.get("/accounts/").status_code == 200


def test_a_newcomer_joins_the_organization_with_the_configured_role(client: Client, alice: Person, issuer: FakeIssuer) -> None:
    issuer.claims |= {"sub": "2002", "email": "bob@meridian.example", "preferred_username": "bob.m"}
    answer = come_back(client, issuer)
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/"), answer.content
    membership = Membership.objects.get(user__email="bob@meridian.example")
    assert (membership.organization_id, membership.role) == (alice.organization.pk, Role.MEMBER)
    assert Membership.objects.filter(user=membership.user).count() == 1
    events = AuditEvent.objects.filter(chain=alice.organization.pk).order_by("seq")
    assert [(each.action, each.details) for each in events][:2] == [
        ("member.joined", {"role": "member", "how": "sso"}),
        ("login.succeeded", {"methods": ["sso"]}),
    ]
    asked = issuer.authorizations[0]
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}
    assert len(asked["nonce"]) >= 24
    assert len(asked["state"]) >= 16


def test_a_group_names_the_role_at_every_sign_in(client: Client, alice: Person, issuer: FakeIssuer) -> None:
    issuer.claims |= {"sub": "2002", "email": "bob@meridian.example", "groups": ["staff", "watchers"]}
    come_back(client, issuer)
    membership = Membership.objects.get(user__email="bob@meridian.example")
    assert membership.role == Role.AUDITOR
    issuer.claims["groups"] = ["staff"]
    come_back(Client(), issuer)
    membership.refresh_from_db()
    assert membership.role == Role.MEMBER
    assert AuditEvent.objects.get(action="member.role_changed").details == {"role": "member", "before": "auditor", "how": "sso"}


def test_an_owner_stays_one_whatever_the_groups_say(client: Client, alice: Person, issuer: FakeIssuer) -> None:
    User.objects.filter(pk=alice.user.pk).update(email="alice@meridian.example")
    issuer.claims["groups"] = ["watchers"]
    come_back(client, issuer)
    come_back(client, issuer)
    assert Membership.objects.get(user=alice.user).role == Role.OWNER


def test_a_verified_address_signs_in_to_its_account_and_is_connected(client: Client, alice: Person, issuer: FakeIssuer) -> None:
    User.objects.filter(pk=alice.user.pk).update(email="alice@meridian.example")
    come_back(client, issuer)
    assert client.get("/accounts/").context["user"] == alice.user
    assert alice.user.socialaccount_set.get().uid == "1001"


@pytest.mark.parametrize("verified", [False, None, "false", "", 0])
def test_an_address_that_is_not_verified_opens_nothing(client: Client, alice: Person, issuer: FakeIssuer, verified: Any) -> None:
    User.objects.filter(pk=alice.user.pk).update(email="alice@meridian.example")
    issuer.claims["email_verified"] = verified
    assert come_back(client, issuer).status_code == 403
    assert not is_signed_in(client)


def test_another_domain_is_refused_in_words(client: Client, alice: Person, issuer: FakeIssuer) -> None:
    issuer.claims["email"] = "mallory@elsewhere.example"
    answer = come_back(client, issuer)
    assert answer.status_code == 403
    assert "an address of meridian.example" in answer.content.decode()
    assert not User.objects.filter(email="mallory@elsewhere.example").exists()


REFUSED = {
    "another issuer's": {"iss": "http://127.0.0.1:1/realms/main"},
    "no issuer's": {"iss": None},
    "for another application": {"aud": "another"},
    "for two, made for the other": {"aud": ["routekit", "another"], "azp": "another"},
    "expired": {"exp": 1_000_000_000},
    "without an end": {"exp": None},
    "of another request": {"nonce": "another"},
    "of no request": {"nonce": None},
    "about nobody": {"sub": None},
    "about someone else than the userinfo": {"sub": "9009"},
}


@pytest.mark.parametrize("bend", REFUSED.values(), ids=REFUSED.keys())
def test_promise_11_an_id_token_is_refused_that_is(client: Client, alice: Person, issuer: FakeIssuer, bend: dict[str, Any]) -> None:
    issuer.bend = bend
    answer = come_back(client, issuer)
    assert answer.status_code in {401, 502}, answer.content
    assert "That sign-in did not work" in answer.content.decode()
    assert not is_signed_in(client)
    assert User.objects.count() == 1


def test_promise_11_signatures_are_the_issuers_own(client: Client, alice: Person, issuer: FakeIssuer) -> None:
    issuer.key = OTHER_KEY
    assert come_back(client, issuer).status_code == 401
    issuer.key, issuer.algorithm = "x" * 64, "HS256"
    assert come_back(client, issuer).status_code == 401
    issuer.algorithm = "none"
    assert come_back(client, issuer).status_code == 401
    assert not is_signed_in(client)


def test_promise_11_state_is_this_browsers_and_good_once(client: Client, alice: Person, issuer: FakeIssuer) -> None:
    User.objects.filter(pk=alice.user.pk).update(email="alice@meridian.example")
    assert come_back(client, issuer, state="forged").status_code == 401
    back = issuer.authorize(client.get(LOGIN).headers["Location"])
    assert Client().get(CALLBACK, back).status_code == 401  # another browser: login CSRF
    assert client.get(CALLBACK, back).status_code == 302
    client.logout()
    assert client.get(CALLBACK, back).status_code == 401
    assert not is_signed_in(client)


def test_another_site_cannot_begin_it(client: Client, issuer: FakeIssuer) -> None:
    answer = client.get(LOGIN, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert "Another site has led you here" in answer.content.decode()
    assert issuer.requests == []


def test_the_address_that_was_called_decides_nothing(client: Client, issuer: FakeIssuer) -> None:
    left = client.get(LOGIN, {"scope": "offline_access", "auth_params": "nonce=mine&prompt=none"})
    issuer.authorize(left.headers["Location"])
    [asked] = issuer.authorizations
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}
    assert asked["nonce"] != "mine"
    assert "prompt" not in asked


def test_a_configuration_of_another_issuer_is_refused(client: Client, issuer: FakeIssuer) -> None:
    issuer.discovery = {"issuer": "https://accounts.example.com"}
    assert client.get(LOGIN).status_code == 502


def test_promise_13_the_issuer_is_dialled_under_the_policy(client: Client, issuer: FakeIssuer, settings: Any) -> None:
    settings.PRIVATE_HOSTS = []
    answer = client.get(LOGIN)
    assert answer.status_code == 502
    assert issuer.requests == []


def test_the_callback_is_at_the_configured_origin(client: Client, issuer: FakeIssuer, settings: Any) -> None:
    settings.ORIGIN = "https://routekit.example"
    issuer.authorize(client.get(LOGIN).headers["Location"])
    assert issuer.authorizations[0]["redirect_uri"] == "https://routekit.example/accounts/oidc/sso/login/callback/"


def test_newcomers_need_an_organization_or_an_invitation(
    client: Client, alice: Person, mallory: Person, issuer: FakeIssuer, settings: Any
) -> None:
    issuer.claims |= {"sub": "2002", "email": "bob@meridian.example"}
    answer = come_back(client, issuer)
    assert "newcomers join by invitation" in answer.content.decode()
    settings.OIDC = dataclasses.replace(settings.OIDC, organization=mallory.organization.slug)
    come_back(client, issuer)
    assert Membership.objects.get(user__email="bob@meridian.example").organization_id == mallory.organization.pk


def test_an_invitation_for_another_address_is_refused(client: Client, alice: Person, mallory: Person, issuer: FakeIssuer) -> None:
    invitation = Invitation.objects.create(
        organization=alice.organization,
        email="carol@meridian.example",
        role=Role.ADMIN,
        digest=digest_of("value"),
        expires_at=timezone.now() + timedelta(days=1),
    )
    issuer.claims |= {"sub": "2002", "email": "bob@meridian.example"}
    client.get("/accounts/invitation/value/")
    answer = come_back(client, issuer)
    assert answer.headers["Location"] == "/accounts/invitation/"
    assert "This invitation is for carol@meridian.example" in client.get("/accounts/invitation/").content.decode()
    assert not User.objects.filter(email="bob@meridian.example").exists()
    issuer.claims |= {"sub": "3003", "email": "carol@meridian.example"}
    come_back(client, issuer)
    invitation.refresh_from_db()
    assert Membership.objects.get(user__email="carol@meridian.example").role == Role.ADMIN
    assert invitation.accepted_by is not None


def test_secrets_of_the_client_are_not_told(client: Client, issuer: FakeIssuer, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.OIDC = dataclasses.replace(settings.OIDC, client_secret="wrong-but-secret")
    answer = come_back(client, issuer)
    assert answer.status_code == 401
    assert "wrong-but-secret" not in answer.content.decode() + caplog.text + repr(settings.OIDC)


def test_the_button_is_there_only_when_it_leads_somewhere(client: Client, settings: Any) -> None:
    assert "oidc" not in client.get("/accounts/login/").content.decode()
    assert client.get(LOGIN).status_code == 404
    assert client.get(CALLBACK).status_code == 404


def test_a_person_connects_it_to_their_account(client: Client, issuer: FakeIssuer) -> None:
    dave = person("dave")
    client.force_login(dave.user)
    left = client.get(LOGIN, {"process": "connect"})
    answer = client.get(CALLBACK, issuer.authorize(left.headers["Location"]))
    assert answer.headers["Location"] == "/accounts/sso/connections/", answer.headers
    assert dave.user.socialaccount_set.get().uid == "1001"
    assert "1001" in client.get("/accounts/sso/connections/").content.decode()
