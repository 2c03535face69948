"""Promise 12: what is taken away is gone with the next request; and no cache keeps what lets in."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from llmconfig.models import Membership, UserLLMConfig
from llmconfig.tenancy.accounts import create_api_token
from llmconfig.tenancy.models import Role
from tests.agent.rows import conversation_of
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.llmconfig.people import Person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
CONFIGS = "/api/user/llm-config"


@pytest.fixture
def alice(db: None) -> Person:
    return person("alice")


@pytest.fixture
def bob(alice: Person) -> Person:
    return person("bob", alice.organization, Role.ADMIN)


def change_role(of: Person, role: Role) -> None:
    Membership.objects.filter(user=of.user, organization=of.organization).update(role=role)


def clients(of: Person) -> list[Client]:
    browser, value = Client(), create_api_token(user=of.user, organization=of.organization, name="t")[1]
    browser.force_login(of.user)
    return [browser, Client(headers={"Authorization": f"Bearer {value}"})]


def test_promise_12_a_dropped_role_counts_with_the_next_request(bob: Person) -> None:
    config = UserLLMConfig.objects.create(organization=bob.organization, provider_type="anthropic", name="C")
    own = UserLLMConfig.objects.create(organization=bob.organization, owner=bob.user, provider_type="anthropic", name="C")
    conversation = conversation_of(bob)

    def answers(client: Client) -> list[int]:
        return [
            client.patch(f"{CONFIGS}/{config.pk}", {"name": "N"}, "application/json").status_code,
            client.patch(f"{CONFIGS}/{own.pk}", {"name": "N"}, "application/json").status_code,
            client.get(f"{CONFIGS}/{own.pk}").status_code,
            client.get(f"/api/conversations/{conversation.pk}").status_code,
            client.get(f"{CONFIGS}/{config.pk}").status_code,
        ]

    for client in clients(bob):
        for role, expected in (
            (Role.ADMIN, [200, 200, 200, 200, 200]),
            (Role.MEMBER, [403, 200, 200, 200, 200]),
            (Role.VIEWER, [403, 403, 404, 403, 200]),
            (Role.AUDITOR, [403, 403, 404, 403, 200]),
            (Role.OWNER, [200, 200, 200, 200, 200]),
        ):
            change_role(bob, role)
            assert answers(client) == expected, role


def test_promise_12_a_removed_member_reads_nothing_with_the_next_request(bob: Person) -> None:
    for client in clients(bob):
        assert client.get(CONFIGS).status_code == 200
    Membership.objects.filter(user=bob.user).delete()
    for client in clients(bob):
        assert client.get(CONFIGS).status_code == 403


def test_promise_12_a_token_that_is_revoked_over_the_api_is_refused_at_once(bob: Person) -> None:
    browser, by_token = clients(bob)
    [row] = browser.get("/api/tokens").json()["results"]
    assert by_token.get(CONFIGS).status_code == 200
    assert browser.delete(f"/api/tokens/{row['id']}").status_code == 204
    assert by_token.get(CONFIGS).status_code == 401


def test_promise_12_who_signs_out_is_refused_at_once(bob: Person) -> None:
    browser, _ = clients(bob)
    cookies = browser.cookies["routekit_session"].value
    browser.post("/accounts/logout/")
    browser.cookies["routekit_session"] = cookies
    assert browser.get(CONFIGS).status_code == 401


def test_promise_12_valkey_holds_nothing_that_lets_in(alice: Person, bob: Person, settings: SettingsWrapper) -> None:
    """After a busy minute: no token, session or password, nor a part of one, in any form, as a key or in a value."""
    from redis import Redis

    settings.DEMO = True
    values = []
    for each in (alice, bob):
        value = create_api_token(user=each.user, organization=each.organization, name="t")[1]
        browser = Client()
        browser.force_login(each.user)
        values += [value, browser.cookies["routekit_session"].value]
        by_token, wrong = (Client(headers={"Authorization": f"Bearer {text}"}) for text in (value, value[:-1] + "x"))
        for _ in range(5):
            for client in (by_token, browser, wrong):
                for path in (CONFIGS, "/api/models", "/api/tokens", "/", "/api/schema/"):
                    client.get(path)
        made = by_token.post("/api/conversations", {}, "application/json", headers={"Idempotency-Key": "k"}).json()
        by_token.post(f"/api/conversations/{made['id']}/messages", {"content": "Hello"}, "application/json")
        browser.post("/accounts/login/", {"login": each.user.username, "password": value})
    with Redis.from_url(settings.REDIS_URL) as client:
        held = everything_in(client)
    for value in values:
        for form in forms_of(value):
            assert form not in held, form


def forms_of(value: str) -> list[bytes]:
    """The value, its beginning as short as what LiteLLM's cache once knew tokens by, and encodings of it."""
    raw = value.encode()
    return [raw, raw[:20], raw[:12], base64.b64encode(raw)[:24], raw.hex().encode()[:24], hashlib.md5(raw).hexdigest().encode()]  # noqa: S324


def everything_in(client: Any) -> bytes:
    read = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    return b"\n".join(key + b" " + repr(read[client.type(key)](key)).encode() for key in client.scan_iter())


def test_the_scan_of_valkey_sees_keys_and_values(settings: SettingsWrapper) -> None:
    from redis import Redis

    with Redis.from_url(settings.REDIS_URL) as client:
        client.set("key-canary", "value-canary")
        client.hset("hash", "field", "hash-canary")
        client.xadd("stream", {"data": "stream-canary"})
        held = everything_in(client)
    for canary in (b"key-canary", b"value-canary", b"hash-canary", b"stream-canary"):
        assert canary in held
