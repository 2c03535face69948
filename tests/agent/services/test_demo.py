"""The demo service as an organization sees it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from django.conf import settings

from agent.models import Service
from agent.services.connections import delete_service, update_service
from agent.services.demo import ensure_demo_service
from agent.services.listing import block_tool, note_tools, refresh_tools
from llmconfig.services import waiting_place
from llmconfig.tenancy.errors import Conflict, Unavailable
from routekit.embedded import prepare
from tests.agent.rows import definition

if TYPE_CHECKING:
    from pytest_django.fixtures import DjangoAssertNumQueries, SettingsWrapper

    from tests.llmconfig.people import Person


def test_where_the_demo_is_off_there_is_none(alice: Person, settings: SettingsWrapper, demo_url: str) -> None:
    settings.DEMO = False
    assert ensure_demo_service(alice.organization) is None
    settings.DEMO, settings.DEMO_SERVICE_URL = True, ""
    assert ensure_demo_service(alice.organization) is None


def test_its_tools_come_known_and_classified(
    alice: Person, bob: Person, demo_url: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    service = ensure_demo_service(alice.organization)
    assert service is not None
    assert (service.slug, service.status, service.shared, service.is_demo) == ("demo", "connected", True, True)
    policies = dict(service.tools.values_list("name", "policy"))
    assert policies["search_tickets"] == policies["find_customers"] == "auto"
    assert policies["close_ticket"] == policies["create_ticket"] == "ask"
    with django_assert_num_queries(1):
        assert ensure_demo_service(alice.organization) == service


def test_it_follows_its_address_and_what_people_chose_stays(alice: Person, demo_url: str, settings: SettingsWrapper) -> None:
    service = ensure_demo_service(alice.organization)
    assert service is not None
    service.tools.filter(name="search_tickets").update(policy="deny")
    settings.DEMO_SERVICE_URL = demo_url + "?moved=1"
    moved = ensure_demo_service(alice.organization)
    assert moved is not None
    assert (moved.id, moved.url, moved.status) == (service.id, demo_url + "?moved=1", "connected")
    assert moved.secret_version > service.secret_version
    assert moved.tools.get(name="search_tickets").policy == "deny"


def test_while_too_many_services_are_asked_it_waits(alice: Person, demo_url: str) -> None:
    with ExitStack() as full:
        for _ in range(settings.WEB_THREADS // 2):
            full.enter_context(waiting_place())
        waiting = ensure_demo_service(alice.organization)
        assert waiting is not None
        with pytest.raises(Unavailable):
            refresh_tools(service=waiting)
    assert waiting.status == "untested"
    learnt = ensure_demo_service(alice.organization)
    assert learnt is not None
    assert learnt.status == "connected"


def test_one_that_does_not_answer_yet_is_asked_again(alice: Person, demo_url: str, settings: SettingsWrapper) -> None:
    settings.DEMO_SERVICE_URL = "http://127.0.0.1:1/mcp"
    waiting = ensure_demo_service(alice.organization)
    assert waiting is not None
    assert waiting.status == "unreachable"
    settings.DEMO_SERVICE_URL = demo_url
    answering = ensure_demo_service(alice.organization)
    assert answering is not None
    assert answering.status == "connected"
    assert answering.tools.filter(policy="auto").exists()


def test_an_organization_that_has_a_service_of_that_name_gets_another_slug(alice: Person, demo_url: str) -> None:
    Service.objects.create(organization=alice.organization, owner=alice.user, display_name="Demo", slug="demo", url="http://127.0.0.1:1/")
    service = ensure_demo_service(alice.organization)
    assert service is not None
    assert service.slug == "demo-2"


def test_it_is_built_in(alice: Person, demo_url: str) -> None:
    service = ensure_demo_service(alice.organization)
    assert service is not None
    with pytest.raises(Conflict, match="Disable it instead"):
        delete_service(caller=alice.caller, service=service)
    with pytest.raises(Conflict, match="built in"):
        update_service(caller=alice.caller, service=service, url="http://127.0.0.1:1/mcp")
    update_service(caller=alice.caller, service=service, is_enabled=False)
    assert not Service.objects.get(id=service.id).is_enabled


def test_what_a_release_adds_or_changes_is_accepted_and_classified_anew(alice: Person, demo_url: str) -> None:
    service = ensure_demo_service(alice.organization)
    assert service is not None
    before = {tool.name: tool.definition_hash for tool in service.tools.all()}
    service.tools.filter(name="close_ticket").delete()
    service.tools.filter(name="search_tickets").update(
        definition_hash="of an older release", description="Old", read_only=False, policy="ask"
    )
    service.tools.filter(name="create_ticket").update(definition_hash="of an older release", read_only=True, policy="auto")
    service.tools.filter(name="get_ticket").update(definition_hash="of an older release", policy="deny")
    service.tools.filter(name="find_customers").update(state="changed", pending={"definition_hash": "x"})
    assert ensure_demo_service(alice.organization) == service
    assert service.tools.get(name="search_tickets").description == "Old"
    prepare._connect_demo()  # as every `make up` does
    assert {tool.name: tool.definition_hash for tool in service.tools.all()} == before
    assert set(service.tools.values_list("state", "pending")) == {("approved", None)}
    found = {tool.name: (tool.policy, tool.read_only) for tool in service.tools.all()}
    assert (found["search_tickets"], found["find_customers"]) == (("auto", True), ("auto", True))
    assert (found["create_ticket"], found["close_ticket"]) == (("ask", False), ("ask", False))
    assert found["get_ticket"] == ("deny", True)


def test_a_run_that_meets_another_definition_accepts_it(alice: Person, demo_url: str) -> None:
    service = ensure_demo_service(alice.organization)
    assert service is not None
    reads, writes = definition("search_tickets", readOnlyHint=True), definition("search_tickets", readOnlyHint=False)
    assert block_tool(service_id=service.id, definition=reads) is True
    assert service.tools.get(name="search_tickets").definition_hash == reads.definition_hash
    assert block_tool(service_id=service.id, definition=writes) is False
    tool = service.tools.get(name="search_tickets")
    assert (tool.state, tool.pending, tool.policy, tool.read_only) == ("approved", None, "ask", False)
    assert block_tool(service_id=service.id, definition=definition("no_such_tool")) is None
    note_tools(service_id=service.id, definitions=[definition("brand_new", readOnlyHint=True)])
    tool = service.tools.get(name="brand_new")
    assert (tool.state, tool.policy, tool.read_only) == ("approved", "auto", True)
