"""Promise 3: no secret comes back from any page, route, method, export or error; and what was not given anew stays as it is stored."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from knox.settings import CONSTANTS

from agent.models import Conversation, Service
from llmconfig.llm import Secret
from llmconfig.models import UserLLMConfig
from llmconfig.services import create_config, ensure_demo_config
from llmconfig.tenancy.keys import open_for, seal_for
from llmconfig.tenancy.models import IdempotencyRecord, Invitation, Role, User
from llmconfig.tenancy.sealed import Sealed
from tests.agent.rows import conversation_of, queued_run, service_of
from tests.canary import leaks, of_database
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper
    from rest_framework.test import APIClient

    from tests.llmconfig.people import Person

PEM = "MIIEc4n4ry0fAS3rv1ceAcc0unt0123456789abcdefABCDEF"
CANARIES = {
    "api key": "c4n4ry-0f-the-key-0123456789abcdef",
    "client secret": "c4n4ry-0f-the-client-0123456789",
    "private key": PEM,
    "service token": "c4n4ry-0f-the-service-0123456789",
    "invitation": "c4n4ry-0f-the-invitation-0123456789",
    "typed": "c4n4ry-typed-by-a-person-0123456789",
}
ACCOUNT = json.dumps(
    {
        "type": "service_account",
        "project_id": "acme-123",
        "private_key": f"-----BEGIN PRIVATE KEY-----\n{PEM}\n-----END PRIVATE KEY-----\n",
        "client_email": "agent@acme-123.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
)
CONFIGS, SERVICES = "/api/user/llm-config", "/api/user/services"


@pytest.fixture
def alice(db: None, settings: SettingsWrapper, valkey: str) -> Person:
    """Her organization holds every kind of secret."""
    settings.DEMO = True
    settings.PRIVATE_HOSTS = ["127.0.0.1:*"]
    alice = person("alice")
    User.objects.update(is_staff=True, is_superuser=True)
    alice.user.refresh_from_db()
    ensure_demo_config(alice.organization)
    for provider, fields in (
        ("openai", {"api_key": Secret(CANARIES["api key"])}),
        (
            "azure_openai",
            {
                "base_url": "https://acme.openai.azure.com",
                "credentials": {"client_secret": Secret(CANARIES["client secret"])},
                "options": {"tenant_id": "t", "client_id": "c"},
            },
        ),
        ("gemini", {"credentials": {"service_account": Secret(ACCOUNT)}}),
    ):
        for shared in (False, True):
            create_config(caller=alice.caller, provider_type=provider, name=f"{provider} {shared}", shared=shared, **fields)
    for shared in (False, True):
        service = service_of(alice, "echo", slug=f"crm{shared}".lower(), shared=shared, auth_type="bearer")
        service.token = Sealed(seal_for(service, "token", Secret(CANARIES["service token"])))
        service.save()
    Invitation.objects.create(
        organization=alice.organization,
        digest=hashlib.sha256(CANARIES["invitation"].encode()).hexdigest(),
        expires_at=timezone.now() + timedelta(days=1),
        invited_by=alice.user,
    )
    queued_run(alice)
    conversation_of(alice)
    return alice


def routes(patterns: Any = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield path, pattern


def ids() -> list[str]:
    """Of every row that a path may name."""
    found = [str(row.pk) for row in (*UserLLMConfig.objects.all(), *Service.objects.all())]
    models = [model for name in ("agent", "llmconfig") for model in apps.get_app_config(name).get_models()]
    return found + [str(row.pk) for model in models for row in model._default_manager.all()[:1] if str(row.pk) not in found]


def addresses() -> list[str]:
    """Every route that needs no more than ids and a name, with every id that there is."""
    found: list[str] = []
    for path, pattern in routes():
        clean = path.replace("^", "").replace("$", "").replace("\\Z", "")
        names = list(pattern.pattern.converters)
        if path.startswith(("admin/", "static")) or "(?P" in clean:
            continue
        for values in product(*([["echo"] if name == "name" else ids() if name in ("id", "pk") else ids()[:2] for name in names])):
            filled = clean
            for converter in values:
                start, end = filled.index("<"), filled.index(">")
                filled = filled[:start] + converter + filled[end + 1 :]
            found.append(f"/{filled}")
    return found


def body_of(answer: Any) -> bytes:
    """The headers, too. A stream of events is for a run that ends, and not for this."""
    content = b"" if answer.streaming else answer.content
    return str(answer.headers).encode() + b"\n" + content


def test_promise_3_no_route_gives_a_secret_back_by_any_method(alice: Person, settings: SettingsWrapper) -> None:
    api, pages = alice.client(), Client(raise_request_exception=False)
    pages.force_login(alice.user)
    token = api._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    session = pages.cookies["routekit_session"].value
    own = {**CANARIES, "token": token, "session": session, "SECRET_KEY": settings.SECRET_KEY, "KEK": settings.KEK}
    paths = addresses()
    assert len(paths) > 150
    found: list[str] = []
    answered = 0
    for path in paths:
        if path.endswith("/events") or "logout" in path:
            continue
        for client, method in ((api, "get"), (api, "head"), (api, "options"), (pages, "get")):
            answer = getattr(client, method)(path)
            answered += answer.status_code == 200
            found += leaks(own, {f"{method} {path}": body_of(answer)})
    assert answered > 100
    assert found == []


@pytest.mark.parametrize("export", ["csv", "jsonl"])
def test_promise_3_no_export_holds_a_secret(export: str, alice: Person) -> None:
    client = alice.client()
    for path in addresses():
        if path.startswith("/api/") and not path.endswith("/events"):
            assert leaks(CANARIES, {path: body_of(client.get(f"{path}?format={export}"))}) == []


def test_promise_3_no_page_of_the_admin_shows_a_secret(alice: Person, settings: SettingsWrapper) -> None:
    client = Client()
    client.force_login(alice.user)
    own = {**CANARIES, "SECRET_KEY": settings.SECRET_KEY, "KEK": settings.KEK}
    written: dict[str, bytes] = {}
    shown = 0
    for model in admin.site._registry:
        label = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        lists = reverse(f"{label}_changelist")
        paths = [lists, f"{lists}?q=c4n4ry", f"{lists}?q={CANARIES['api key']}", reverse(f"{label}_add")]
        for row in model._default_manager.all()[:6]:
            paths += [reverse(f"{label}_{page}", args=[row.pk]) for page in ("change", "history", "delete")]
            paths.append(
                f"{reverse('admin:autocomplete')}?app_label={model._meta.app_label}&model_name={model._meta.model_name}&field_name=organization&term=c"
            )
        for path in paths:
            answer = client.get(path)
            shown += answer.status_code == 200
            # What was searched for stands in its own field again.
            written[path] = body_of(answer).replace(CANARIES["api key"].encode(), b"") if "?q=c4n4ry-" in path else body_of(answer)
    written["index"] = body_of(client.get("/admin/"))
    assert shown > 40
    assert leaks(own, written) == []


def test_promise_3_dumpdata_and_the_database_itself_hold_no_secret(alice: Person) -> None:
    alice.client()
    dump = io.StringIO()
    call_command("dumpdata", stdout=dump)
    assert "openai True" in dump.getvalue()
    assert leaks(CANARIES, {"dumpdata": dump.getvalue().encode(), **of_database()}) == []


def test_promise_3_schema_and_its_page_hold_no_secret(alice: Person, settings: SettingsWrapper) -> None:
    client = alice.client()
    own = {**CANARIES, "SECRET_KEY": settings.SECRET_KEY, "KEK": settings.KEK}
    for path in ("/api/schema/", "/api/schema/?format=json", "/api/docs/", "/api/docs/?script="):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert leaks(own, {path: body_of(answer)}) == []


TYPED = CANARIES["typed"]
COMPATIBLE = {"provider_type": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "api_key": TYPED, "model": "m"}
SERVICE = {"display_name": "x", "url": "http://127.0.0.1:9/mcp", "transport": "streamable-http", "auth_type": "bearer"}
BAD: list[tuple[str, Any]] = [
    *(
        (CONFIGS, {"provider_type": "openai", "api_key": key})
        for key in ([TYPED], {"value": TYPED}, TYPED * 900, f"two lines\n{TYPED}", f"{TYPED}\u00e9")
    ),
    *(
        (CONFIGS, {"provider_type": "azure_openai", "credentials": credentials})
        for credentials in (TYPED, [TYPED], {"x": TYPED}, {TYPED: "x"})
    ),
    *((CONFIGS, {"provider_type": "openai", "options": options}) for options in (TYPED, {"api_key": TYPED}, {"max_output_tokens": TYPED})),
    (CONFIGS, {"provider_type": "openai", "api_key": TYPED, "base_url": "nonsense"}),
    (CONFIGS, {"provider_type": "openai", "token": TYPED}),
    (CONFIGS, {"provider_type": "ollama", "credentials": {"client_secret": TYPED}}),
    (CONFIGS, {"provider_type": "openai", "base_url": f"https://alice:{TYPED}@api.example.com"}),
    (CONFIGS, {"provider_type": "openai", "base_url": f"https://127.0.0.2/v1?key={TYPED}"}),
    (CONFIGS, {"provider_type": "gemini", "credentials": {"service_account": TYPED}, "model": 5}),
    (f"{CONFIGS}/test", {"provider_type": "gemini", "credentials": {"service_account": TYPED}, "model": "m"}),
    (f"{CONFIGS}/test", COMPATIBLE),
    (f"{CONFIGS}?validate=true", {**COMPATIBLE, "name": "n"}),
    *((SERVICES, {**SERVICE, "token": token}) for token in ([TYPED], f"a {TYPED}", f"{TYPED}\u00e9", TYPED * 900)),
    (SERVICES, {**SERVICE, "url": "nonsense", "token": TYPED}),
    (SERVICES, {**SERVICE, "url": f"https://a:{TYPED}@x.example/mcp"}),
    ("/api/tokens", {"name": "x", "token": TYPED, "key": TYPED}),
]


@pytest.mark.parametrize(("path", "body"), BAD)
def test_promise_3_an_error_repeats_nothing_that_was_typed(path: str, body: Any, alice: Person) -> None:
    client = alice.client()
    for key in (None, "idempotent"):
        for _ in range(2):
            headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
            answer = client.post(path, body, format="json", **headers)
            assert answer.status_code < 500
            assert leaks(CANARIES, {path: body_of(answer)}) == []


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_promise_3_a_body_that_cannot_be_read_is_not_repeated(kind: str, alice: Person) -> None:
    client = alice.client()
    for path in (CONFIGS, SERVICES, "/api/tokens", f"{CONFIGS}/test"):
        answer = client.post(path, data=f'{{"api_key": "{TYPED}"', content_type=kind)
        assert 400 <= answer.status_code < 500
        assert leaks(CANARIES, {path: body_of(answer)}) == []


def test_promise_3_a_repeated_answer_shows_a_key_no_more_than_the_first(alice: Person) -> None:
    client = alice.client()
    body = {"provider_type": "openai", "name": "again", "api_key": TYPED}
    answers = [client.post(CONFIGS, body, HTTP_IDEMPOTENCY_KEY="once", format="json") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["api_key_hint"] == f"…{TYPED[-4:]}"
    assert leaks(CANARIES, {"answer": body_of(answers[1]), **of_database()}) == []
    assert IdempotencyRecord.objects.get().body


def test_promise_3_the_value_of_a_token_is_sealed_where_its_answer_is_kept(alice: Person) -> None:
    client = alice.client()
    answers = [client.post("/api/tokens", {"name": "x"}, HTTP_IDEMPOTENCY_KEY="once", format="json") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    (value,) = {text for text in answers[0].json().values() if isinstance(text, str) and len(text) >= 40}
    assert value in answers[1].content.decode()
    assert leaks({"token": value[CONSTANTS.TOKEN_KEY_LENGTH :]}, of_database()) == []  # knox keeps its beginning, to tell tokens apart


@pytest.mark.parametrize("sent", [{"name": "x"}, {}, *({"api_key": key} for key in ("", "  ", "hint", "••••", "********"))])
def test_promise_3_a_patch_without_a_new_key_keeps_the_stored_one(sent: dict[str, str], alice: Person) -> None:
    config = UserLLMConfig.objects.get(name="openai True")
    body = {"api_key": config.api_key_hint} if sent.get("api_key") == "hint" else sent
    assert alice.client().patch(f"{CONFIGS}/{config.pk}", body, format="json").status_code == 200
    config.refresh_from_db()
    assert open_for(config, "api_key").reveal() == CANARIES["api key"]
    assert config.api_key_hint == "…cdef"


@pytest.mark.parametrize("value", [None, 5, ["x"]])
def test_promise_3_what_is_no_text_is_refused_and_keeps_the_stored_one(value: Any, alice: Person) -> None:
    config = UserLLMConfig.objects.get(name="openai True")
    assert alice.client().patch(f"{CONFIGS}/{config.pk}", {"api_key": value}, format="json").status_code == 400
    config.refresh_from_db()
    assert open_for(config, "api_key").reveal() == CANARIES["api key"]


@pytest.mark.parametrize("sent", ["", "••••", "********", "…cdef"])
def test_promise_3_other_credentials_and_tokens_are_kept_likewise(sent: str, alice: Person) -> None:
    config, service = UserLLMConfig.objects.get(name="azure_openai True"), Service.objects.get(slug="crmtrue")
    client = alice.client()
    assert client.patch(f"{CONFIGS}/{config.pk}", {"credentials": {"client_secret": sent}}, format="json").status_code == 200
    assert client.patch(f"{SERVICES}/{service.pk}", {"token": sent}, format="json").status_code == 200
    config.refresh_from_db()
    service.refresh_from_db()
    assert json.loads(open_for(config, "credentials").reveal()) == {"client_secret": CANARIES["client secret"]}
    assert open_for(service, "token").reveal() == CANARIES["service token"]


def test_promise_3_whoever_looks(alice: Person) -> None:
    """A member, and one who may only look, see no more of what is shared than its owner."""
    shared = [f"{CONFIGS}/{config.pk}" for config in UserLLMConfig.objects.filter(owner=None)]
    shared += [f"{SERVICES}/{service.pk}{more}" for service in Service.objects.filter(owner=None) for more in ("", "/tools", "/grants")]
    for role in (Role.MEMBER, Role.VIEWER, Role.AUDITOR):
        client: APIClient = person(f"of-{role}", alice.organization, role).client()
        for path in (CONFIGS, SERVICES, "/api/models", "/api/providers", "/api/tokens", *shared):
            assert leaks(CANARIES, {path: body_of(client.get(path))}) == []
    assert Conversation.objects.count() >= 2
