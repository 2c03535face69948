"""Promise 11: who is not let in is refused before anything of the request is read, and no other way leads in."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework.views import APIView

from llmconfig.models import ApiToken, Membership, User, UserLLMConfig
from llmconfig.tenancy.accounts import create_api_token
from llmconfig.tenancy.caller import Action
from llmconfig.tenancy.rest.permissions import IsMember, Public, SignedIn, undeclared
from tests.llmconfig.people import person
from tests.security.routes import address
from tests.security.table import API

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
URL = "/api/user/llm-config"
NOBODYS = dict.fromkeys(("id", "grant", "name"), "00000000-0000-0000-0000-000000000000")
BODY = {"provider_type": "anthropic", "api_key": "sk-ant-0123456789abcdef"}


@pytest.fixture
def alice(db: None) -> Person:
    return person("alice")


@pytest.fixture
def value(alice: Person) -> str:
    return create_api_token(user=alice.user, organization=alice.organization, name="t")[1]


def get(authorization: str, url: str = URL, **more: Any) -> Any:
    return Client().get(url, headers={"Authorization": authorization}, **more)


def test_the_token_of_these_tests_is_let_in(value: str) -> None:
    assert get(f"Bearer {value}").status_code == 200


# --- before parsing

BODIES = [
    pytest.param("application/json", b"{", id="cut JSON"),
    pytest.param("application/json", b"[" * 100_000, id="deep JSON"),
    pytest.param("application/json", b"\xff\xfe\x00", id="no UTF-8"),
    pytest.param("application/json", b'"' + b"x" * 100_000 + b'"', id="huge"),
    pytest.param("application/json", b'{"nothing": "known"}', id="unknown field"),
    pytest.param("application/xml", b"<x/>", id="another type"),
    pytest.param("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data", id="cut form"),
    pytest.param("multipart/form-data", b"no boundary", id="form without boundary"),
    pytest.param("\x00", b"", id="no type at all"),
]


@pytest.mark.parametrize(("content_type", "body"), BODIES)
def test_promise_11_nothing_is_parsed_before_it_is_known_who_asks(content_type: str, body: bytes, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 50_000
    posts = [address(route, NOBODYS) for route, row in API.items() if "POST" in row.verbs]
    assert len(posts) > 10
    for url in posts:
        for headers in ({}, {"Authorization": "Bearer " + "0" * 64}):
            answer = Client().generic("POST", url, body, content_type, headers=headers)
            assert answer.status_code == 401, url
            assert answer["WWW-Authenticate"] == "Bearer"


def test_promise_11_who_may_not_is_told_so_whatever_they_sent(alice: Person) -> None:
    viewer = person("viewer", alice.organization, "viewer").client()
    for kind, body in (("application/json", b"{"), ("application/xml", b"<x/>"), ("application/json", b'{"nothing": "known"}')):
        assert viewer.generic("POST", URL, body, kind).status_code == 403


# --- tokens

MALFORMED: list[Callable[[str], str]] = [
    lambda value: value,
    lambda value: "Bearer",
    lambda value: "Bearer ",
    lambda value: f"Bearer {value[:-1]}",
    lambda value: f"Bearer {value}0",
    lambda value: f"Bearer {value[:8]}",
    lambda value: f"Bearer {value.upper()}",
    lambda value: f"Bearer {value} {value}",
    lambda value: f"Bearer {value},Bearer {value}",
    lambda value: f"Bearer {value}, Bearer x",
    lambda value: f"Bearer x, Bearer {value}",
    lambda value: f"Bearer {value}\x00",
    lambda value: f"Bearer {value[:-1]}\u00e9",
    lambda value: f"Bearer {value[:-1]}\ud83d".encode("utf-8", "surrogatepass").decode("latin-1"),
    lambda value: f'Bearer "{value}"',
    lambda value: f"Bearer={value}",
    lambda value: f"Token {value}",
    lambda value: f"Basic {value}",
    lambda value: f"Bearer{value}",
    lambda value: f"bearer {value[:-1]}",
    lambda value: "Bearer " + "0" * 64,
    lambda value: "Bearer " + value * 1000,
    lambda value: "Bearer %",
    lambda value: "Bearer ' OR 1=1 --",
    lambda value: f"Bearer {value}%00",
]


@pytest.mark.parametrize("number", range(len(MALFORMED)))
def test_promise_11_a_malformed_token_is_not_accepted(number: int, value: str) -> None:
    header = MALFORMED[number](value)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        answer = get(header)
    assert answer.status_code == 401
    assert value not in answer.content.decode()
    assert len(asked) <= 1


def test_promise_11_a_token_is_a_header_and_nothing_else(value: str) -> None:
    for url in (f"{URL}?token={value}", f"{URL}?access_token={value}", f"{URL}?Authorization=Bearer%20{value}"):
        assert Client().get(url).status_code == 401
    for name in ("X-Authorization", "X-Api-Key", "X-Auth-Token", "Proxy-Authorization"):
        assert Client().get(URL, headers={name: f"Bearer {value}"}).status_code == 401
    client = Client()
    client.cookies["Authorization"] = client.cookies["routekit_session"] = value
    assert client.get(URL).status_code == 401


def test_promise_11_two_headers_are_none(value: str) -> None:
    """Servers join headers of one name by a comma."""
    from routekit.asgi import application

    scope = {
        "type": "http",
        "method": "GET",
        "path": URL,
        "query_string": b"",
        "headers": [(b"host", b"testserver"), *((b"authorization", f"Bearer {each}".encode()) for each in (value, "x"))],
    }
    request, _ = application.create_request(scope, BytesIO(b""))
    assert application.get_response(request).status_code == 401


def test_a_scheme_is_a_scheme_in_any_case(value: str) -> None:
    """RFC 9110 has it so."""
    assert get(f"bearer {value}").status_code == 200


def expired(alice: Person, value: str) -> None:
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))


def revoked(alice: Person, value: str) -> None:
    ApiToken.objects.all().delete()


def person_deactivated(alice: Person, value: str) -> None:
    User.objects.update(is_active=False)


def person_deleted(alice: Person, value: str) -> None:
    alice.user.delete()


def organization_deleted(alice: Person, value: str) -> None:
    alice.organization.delete()


def member_removed(alice: Person, value: str) -> None:
    Membership.objects.all().delete()


GONE = [*((end, 401) for end in (expired, revoked, person_deactivated, person_deleted, organization_deleted)), (member_removed, 403)]


@pytest.mark.parametrize(("end", "status"), GONE)
def test_promise_11_a_token_that_counts_no_more_opens_no_route(
    end: Callable[[Person, str], None], status: int, alice: Person, value: str
) -> None:
    """And that from the very next request on."""
    assert get(f"Bearer {value}").status_code == 200
    end(alice, value)
    for route, row in API.items():
        for method in row.verbs:
            with CaptureQueriesContext(connection) as asked:
                answer = Client().generic(method, address(route, NOBODYS), headers={"Authorization": f"Bearer {value}"})
            assert answer.status_code == status, (method, route)
            assert len([each for each in asked if "UPDATE" not in each["sql"]]) <= 2


def test_promise_11_a_token_of_one_organization_opens_no_other(alice: Person, value: str) -> None:
    from llmconfig.tenancy.accounts import create_organization

    other = create_organization(name="Other", owner=alice.user)
    config = UserLLMConfig.objects.create(organization=other, owner=alice.user, provider_type="anthropic", name="C")
    assert get(f"Bearer {value}", f"{URL}/{config.pk}").status_code == 404
    assert get(f"Bearer {value}").json()["results"] == []


# --- sessions


@pytest.fixture
def browser(alice: Person) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice.user)
    return client


def posted(client: Client, **headers: str) -> int:
    return client.post(URL, BODY, "application/json", headers=headers).status_code


def test_promise_11_a_session_writes_with_its_csrf_token_alone(browser: Client) -> None:
    assert posted(browser) == 403
    browser.get("/")
    token = browser.cookies["csrftoken"].value
    assert posted(browser) == 403
    assert posted(browser, **{"X-CSRFToken": "0" * 64}) == 403
    assert UserLLMConfig.objects.count() == 0
    assert posted(browser, **{"X-CSRFToken": token}) == 201
    for method in ("PUT", "PATCH", "DELETE"):
        config = UserLLMConfig.objects.get()
        assert browser.generic(method, f"{URL}/{config.pk}", b"{}", "application/json").status_code == 403


def test_promise_11_another_origin_writes_nothing(browser: Client) -> None:
    browser.get("/")
    headers = {"X-CSRFToken": browser.cookies["csrftoken"].value, "Origin": "https://mallory.example"}
    assert posted(browser, **headers) == 403
    assert UserLLMConfig.objects.count() == 0


@pytest.mark.parametrize("end", [person_deactivated, person_deleted])
def test_promise_11_a_session_of_nobody_is_none(end: Callable[[Person, str], None], browser: Client, alice: Person) -> None:
    assert browser.get(URL).status_code == 200
    end(alice, "")
    assert browser.get(URL).status_code == 401
    assert browser.get("/").status_code == 302


def test_promise_11_a_session_of_no_member_reads_nothing(browser: Client) -> None:
    Membership.objects.all().delete()
    assert browser.get(URL).status_code == 403


def test_promise_11_a_session_cannot_choose_a_foreign_organization(browser: Client) -> None:
    mallory = person("mallory")
    config = UserLLMConfig.objects.create(organization=mallory.organization, provider_type="anthropic", name="C")
    session = browser.session
    session["organization"] = str(mallory.organization.pk)
    session.save()
    assert browser.get(f"{URL}/{config.pk}").status_code == 404
    assert browser.get(URL).json()["results"] == []


# --- other ways in


@pytest.mark.parametrize("host", ["mallory.example", "testserver.mallory.example", "testserver@mallory.example", "", "localhost:x", "[::1"])
def test_promise_11_a_bad_host_is_answered_nothing(host: str, value: str) -> None:
    for url in (URL, "/", "/accounts/login/", "/admin/", "/api/schema/"):
        answer = get(f"Bearer {value}", url, SERVER_NAME="mallory.example", HTTP_HOST=host or "mallory.example:80")
        assert answer.status_code == 400, url
        assert "mallory" not in answer.content.decode()


def test_promise_11_a_forwarded_host_counts_nothing(value: str) -> None:
    answer = Client().get(URL, headers={"Authorization": f"Bearer {value}", "X-Forwarded-Host": "mallory.example"})
    assert "mallory" not in answer.content.decode()


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_promise_11_a_method_is_what_the_request_line_says(name: str, alice: Person, value: str) -> None:
    config = UserLLMConfig.objects.create(organization=alice.organization, owner=alice.user, provider_type="anthropic", name="C")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
    for sent in ({"headers": {name: "DELETE"}}, {"data": {"_method": "DELETE"}, "format": "json"}):
        client.post(f"{URL}/{config.pk}", **sent)
        client.get(f"{URL}/{config.pk}?_method=DELETE", headers={name: "DELETE"})
    assert UserLLMConfig.objects.filter(pk=config.pk).exists()


# --- deny by default


class Undeclared(APIView):
    def get(self, request: Any) -> None:
        raise AssertionError("nobody gets here")

    post = delete = get


class Open(Undeclared):
    permission_classes = [Public]


class HalfDeclared(Undeclared):
    read_action = Action.SEE


class Ungated(Undeclared):
    permission_classes = []
    read_action = write_action = Action.SEE


def test_promise_11_a_view_that_says_nothing_is_refused_to_everyone(alice: Person, value: str) -> None:
    from rest_framework.test import APIRequestFactory

    for view, methods in ((Undeclared, ("get", "post", "delete", "options")), (HalfDeclared, ("post", "delete"))):
        for method in methods:
            request = getattr(APIRequestFactory(), method)("/", headers={"Authorization": f"Bearer {value}"})
            assert view.as_view()(request).status_code == 403, (view, method)


def test_a_view_that_says_nothing_is_named() -> None:
    assert undeclared(Undeclared) == ["GET", "POST", "DELETE"]
    assert undeclared(HalfDeclared) == ["POST", "DELETE"]
    assert undeclared(Ungated) == ["GET", "POST", "DELETE"]
    assert undeclared(Open) == []


def test_the_check_names_a_view_that_says_nothing(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmconfig import checks

    assert checks.views_say_what_they_do() == []
    monkeypatch.setattr(checks, "rest_views", lambda _: [("api/new", HalfDeclared)])
    [error] = checks.views_say_what_they_do()
    assert (error.id, error.msg) == ("llmconfig.E001", "/api/new (HalfDeclared) does not say what POST, DELETE does.")


def test_every_gate_is_ours() -> None:
    from django.urls import get_resolver

    from llmconfig.checks import rest_views

    gates = {permission for _, view in rest_views(get_resolver()) for permission in view.permission_classes}
    assert {f"{gate.__module__}.{gate.__name__}" for gate in gates} == {
        f"{gate.__module__}.{gate.__name__}" for gate in (IsMember, Public, SignedIn)
    }
