"""What permission and tenancy cost: at most two queries of any request; and a list costs the same for one row and for twenty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework.views import APIView

from agent.models import Message, ServiceTool, ToolGrant
from agent.services.attachments import create_attachment
from llmconfig.models import CustomModel, UserLLMConfig
from llmconfig.services import invite_member
from llmconfig.tenancy.accounts import create_api_token
from llmconfig.tenancy.audit import Actor, record
from llmconfig.tenancy.models import Membership, Role
from tests.agent.rows import conversation_of, queued_run, service_of
from tests.llmconfig.people import person
from tests.security.routes import address, ask
from tests.security.table import API, PAGES, PAGES_OF

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from tests.llmconfig.people import Person
    from tests.security.stage import Stage

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey"), pytest.mark.xdist_group("matrix")]
GETS = [route for route, row in API.items() if "GET" in row.verbs]
OWN_QUERIES = {"audit/": 1}
"""The people to choose among."""
OF_DJANGO = ("django_session", "llmconfig_user")


def is_of_django(sql: str) -> bool:
    """A session's own queries: that it is there, and whose."""
    return any(f'FROM "{table}"' in sql for table in OF_DJANGO)


class Gate:
    """Counts the queries from a view's first line to where its own code begins: authentication, permission, throttles."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        initial = APIView.initial

        def counted(view: Any, *args: Any, **kwargs: Any) -> None:
            with CaptureQueriesContext(connection) as asked:
                try:
                    initial(view, *args, **kwargs)
                finally:
                    self.asked += [each["sql"] for each in asked.captured_queries]

        monkeypatch.setattr(APIView, "initial", counted)

    def of(self, client: Client, url: str) -> list[str]:
        self.asked.clear()
        ask(client, "GET", url)
        return list(self.asked)


@pytest.mark.parametrize("route", GETS)
def test_promise_11_permission_and_tenancy_add_at_most_two_queries(route: str, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    for who in (*stage.browsers, *stage.tokens):
        url = address(route, stage.own[who.name].get(API[route].thing, {}))
        asked = [
            sql for sql in gate.of(who.client, url) if not (who.scope == "session" and any(f'FROM "{table}"' in sql for table in OF_DJANGO))
        ]
        assert 1 <= len(asked) <= 2, (who.name, asked)
        again = [sql for sql in gate.of(who.client, url) if "llmconfig_membership" in sql]
        assert len(again) == 1, again  # also the second time: nothing that could be revoked is remembered


@pytest.mark.parametrize("route", sorted(PAGES))
def test_a_page_asks_once_whose_it_is(route: str, stage: Stage) -> None:
    reader = next(who for who in stage.browsers if who.name == PAGES_OF.get(route, ["member"])[0])
    url = address(route, {"conversation_id": stage.own["member"]["conversation"]["id"]})
    reader.client.get(url)  # notes in the session that it was seen
    with CaptureQueriesContext(connection) as asked:
        reader.client.get(url)
    assert len([each for each in asked if 'FROM "llmconfig_membership"' in each["sql"]]) == 1
    assert len(asked) == 3 + OWN_QUERIES.get(route, 0)  # session, user, membership


def configs(alice: Person, number: int) -> str:
    UserLLMConfig.objects.create(organization=alice.organization, owner=alice.user, provider_type="anthropic", name=f"C{number}")
    return "/api/user/llm-config"


def models(alice: Person, number: int) -> str:
    config = UserLLMConfig.objects.filter(owner=alice.user).first()
    config = config or UserLLMConfig.objects.create(organization=alice.organization, owner=alice.user, provider_type="anthropic", name="C")
    CustomModel.objects.create(organization=alice.organization, config=config, model=f"m{number}")
    return "/api/models"


def tokens(alice: Person, number: int) -> str:
    create_api_token(user=alice.user, organization=alice.organization, name=f"t{number}")
    return "/api/tokens"


def attachments(alice: Person, number: int) -> str:
    create_attachment(caller=alice.caller, file=ContentFile(f"What is kept: {number}".encode(), "notes.txt"))
    return "/api/attachments"


def conversations(alice: Person, number: int) -> str:
    if number % 2:
        queued_run(alice)
    else:
        conversation_of(alice)
    return "/api/conversations"


def messages(alice: Person, number: int) -> str:
    conversation = alice.user.conversations.first() or conversation_of(alice)
    Message.objects.create(conversation=conversation, position=number, role="user", parts=[], created_at=timezone.now())
    return f"/api/conversations/{conversation.pk}/messages"


def services(alice: Person, number: int) -> str:
    service_of(alice, "find", slug=f"s{number}")
    return "/api/user/services"


def tools(alice: Person, number: int) -> str:
    service = service_of_once(alice)
    ServiceTool.objects.create(service=service, name=f"t{number}", position=number, definition_hash="h")
    return f"/api/user/services/{service.pk}/tools"


def grants(alice: Person, number: int) -> str:
    service = service_of_once(alice)
    ToolGrant.objects.create(user=alice.user, service=service, tool_name=f"t{number}", definition_hash="h")
    return f"/api/user/services/{service.pk}/grants"


def members(alice: Person, number: int) -> str:
    person(f"member-{number}", alice.organization)
    return "/api/organization/members"


def invitations(alice: Person, number: int) -> str:
    invite_member(caller=alice.caller, role=Role.VIEWER)
    return "/api/organization/invitations"


def audit(alice: Person, number: int) -> str:
    record("config.changed", actor=Actor.of(alice.caller), organization=alice.organization.pk)
    return "/api/audit"


def service_of_once(alice: Person) -> Any:
    from agent.models import Service

    return Service.objects.filter(owner=alice.user).first() or service_of(alice)


LISTS = [configs, models, tokens, attachments, conversations, messages, services, tools, grants, members, invitations, audit]


@pytest.mark.parametrize("add", LISTS)
def test_a_list_costs_the_same_for_one_row_and_for_twenty(add: Callable[[Person, int], str], settings: Any) -> None:
    settings.DEMO = True
    alice = person("lister")
    client = alice.client()
    url = add(alice, 1)
    client.get(url)  # what a first request finds missing, it makes

    def cost() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as asked:
            listed = client.get(url).json()["results"]
        return len(listed), len(asked)

    few, queries = cost()
    for number in range(2, 21):
        add(alice, number)
    many, more = cost()
    assert many == few + 19
    assert more == queries


def test_a_list_of_organizations_costs_the_same_for_one_and_for_twenty() -> None:
    """By a session: a token knows its own alone."""
    alice, client = person("lister"), APIClient()
    client.force_login(alice.user)

    def cost() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as asked:
            listed = client.get("/api/organizations").json()["results"]
        return len(listed), len(asked)

    cost()  # notes in the session that it was seen
    few, queries = cost()
    for number in range(19):
        Membership.objects.create(organization=person(f"founder-{number}").organization, user=alice.user)
    assert cost() == (few + 19, queries)


def test_every_list_is_measured() -> None:
    measured = {"api/user/llm-config", "api/models", "api/tokens", "api/attachments", "api/conversations", "api/user/services"}
    measured |= {"api/conversations/<id:id>/messages", "api/user/services/<id:id>/tools", "api/user/services/<id:id>/grants"}
    measured |= {"api/organization/members", "api/organization/invitations", "api/organizations", "api/audit"}
    one_thing = {route for route in GETS if route.endswith(("<id:id>", "/content", "/events", "/usage", "/verify", "organization"))}
    assert set(GETS) - one_thing - measured == {"api/providers"}  # which is no rows
