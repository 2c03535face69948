"""How often one may ask: counted in Valkey by principal, in one round trip; never a token in a key; nothing stops with Valkey away."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache

from llmconfig.tenancy.accounts import create_api_token
from llmconfig.tenancy.rest import throttling
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]
LIST = "/api/providers"


@pytest.fixture(autouse=True)
def _one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test does not straddle a minute."""
    monkeypatch.setattr(throttling, "_window", lambda: 1)
    monkeypatch.setattr(throttling._counter, "_away_until", 0.0)


def keys() -> list[str]:
    return sorted(key.decode() for key in cache._cache.get_client(None).keys("*throttle*"))


def test_beyond_the_limit_it_is_429_with_when_to_come_back(alice: Person, settings: Any) -> None:
    settings.THROTTLE_PER_MINUTE = 3
    client = alice.client()
    assert [client.get(LIST).status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = client.get(LIST)
    assert answer.json()["errors"][0]["code"] == "throttled"
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_nobody_elses_requests_count(alice: Person, bob: Person, settings: Any) -> None:
    settings.THROTTLE_PER_MINUTE = 1
    first, second, other = alice.client(), alice.client(), bob.client()
    assert [each.get(LIST).status_code for each in (first, first, second, other)] == [200, 429, 200, 200]


def test_promise_12_keys_hold_the_organization_and_the_whole_sha_256_of_the_token(alice: Person, client: Any) -> None:
    _, value = create_api_token(user=alice.user, organization=alice.organization, name="x")
    client.get(LIST, headers={"Authorization": f"Bearer {value}"})
    digest = hashlib.sha256(value.encode()).hexdigest()
    assert keys() == [f"throttle:{alice.organization.pk.hex}:token:{digest}:all:1"]
    assert value not in str(keys())
    client.force_login(alice.user)
    client.get(LIST)
    assert f"throttle:{alice.organization.pk.hex}:user:{alice.user.pk}:all:1" in keys()


def test_promise_12_tokens_that_begin_alike_are_counted_apart(alice: Person) -> None:
    class Request:
        pass

    principals = set()
    for end in "ab":
        request = Request()
        request.auth, _ = create_api_token(user=alice.user, organization=alice.organization, name="x")
        request.auth.sha256 = hashlib.sha256(("t" * 63 + end).encode()).hexdigest()
        principals.add(throttling.principal_of(request, alice.caller))
    assert len(principals) == 2


def test_connection_tests_are_few_whatever_token_asks(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(throttling.LIMITS, "connections", 2)
    body = {"provider_type": "nothing"}
    codes = [alice.client().post("/api/user/llm-config/test", body).status_code for _ in range(3)]
    assert codes == [400, 400, 429]
    assert alice.client().get(LIST).status_code == 200


def test_making_tokens_is_limited_and_listing_them_is_not(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(throttling.LIMITS, "tokens", 1)
    client = alice.client()
    assert [client.post("/api/tokens", {"name": "x"}).status_code for _ in range(2)] == [201, 429]
    assert client.get("/api/tokens").status_code == 200


def test_tokens_that_nobody_has_are_counted_by_address(client: Any, settings: Any, alice: Person) -> None:
    settings.FAILED_TOKENS_PER_MINUTE = 2
    wrong = {"Authorization": "Bearer nobody-has-this"}
    assert [client.get(LIST, headers=wrong).status_code for _ in range(3)] == [401, 401, 429]
    assert client.get(LIST, headers=wrong, REMOTE_ADDR="198.51.100.7").status_code == 401
    assert alice.client().get(LIST).status_code == 200
    assert "nobody-has-this" not in str(keys())


def test_with_valkey_away_all_are_let_through_and_it_is_said_once(alice: Person, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    settings.THROTTLE_PER_MINUTE = 1
    client = alice.client()
    with caplog.at_level(logging.WARNING):
        assert [client.get(LIST).status_code for _ in range(5)] == [200] * 5
    assert caplog.text.count("Valkey is away") == 1


def test_a_request_costs_one_round_trip(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    client, sent = alice.client(), []
    client.get(LIST)
    from redis.connection import AbstractConnection

    real = AbstractConnection.send_packed_command
    monkeypatch.setattr(
        AbstractConnection, "send_packed_command", lambda self, command, **k: (sent.append(command), real(self, command, **k))[1]
    )
    client.post("/api/user/llm-config/test", {"provider_type": "nothing"})
    assert len(sent) == 1


def test_a_window_ends(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.THROTTLE_PER_MINUTE = 1
    carol = person("carol")
    client = carol.client()
    client.get(LIST)
    assert client.get(LIST).status_code == 429
    monkeypatch.setattr(throttling, "_window", lambda: 2)
    assert client.get(LIST).status_code == 200
    assert 0 < throttling.seconds_left() <= 60
    assert all(0 < ttl <= 120 for ttl in (cache._cache.get_client(None).ttl(key) for key in keys()))
