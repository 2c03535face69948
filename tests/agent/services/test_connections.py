"""Services as people connect them: slugs, tokens that never follow an address, pinned tools and their policies."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from agent.mcp.definitions import ToolListing
from agent.models import Service, ServiceTool, ToolGrant
from agent.services.connections import (
    approve_definition,
    create_service,
    delete_service,
    diff_of,
    free_slug,
    revoke_grant,
    set_tool_policy,
    update_service,
)
from agent.services.listing import Listing, block_tool, note_tools, pin_tools, record_listing, refresh_tools
from agent.services.pinned import meet
from llmconfig.llm import Secret
from llmconfig.tenancy.audit import AuditEvent
from llmconfig.tenancy.errors import Conflict, Forbidden, Invalid
from llmconfig.tenancy.keys import open_for
from llmconfig.tenancy.models import DataKey, Role
from tests.agent.rows import definition, service_of
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from agent.mcp.definitions import ToolDefinition
    from tests.llmconfig.people import Person

TOKEN = "token-of-alice-0123456789"


@pytest.fixture(autouse=True)
def _loopback(settings: SettingsWrapper) -> None:
    settings.PRIVATE_HOSTS = ["127.0.0.1:*"]


def made(who: Person, name: str = "Our CRM", url: str = "http://127.0.0.1:9/mcp", **fields: Any) -> Service:
    return create_service(caller=who.caller, display_name=name, url=url, **fields)


def with_token(who: Person, **fields: Any) -> Service:
    return made(who, auth_type="bearer", token=Secret(TOKEN), **fields)


def test_slugs_are_words_and_never_twice_in_an_organization(alice: Person, bob: Person, mallory: Person) -> None:
    assert made(alice, "Our  CRM (EU)!").slug == "our-crm-eu"
    assert made(bob, "our crm eu").slug == "our-crm-eu-2"
    assert made(alice, "OUR_CRM_EU").slug == "our-crm-eu-3"
    assert made(mallory, "Our CRM EU").slug == "our-crm-eu"
    assert made(alice, "日本").slug == "service"
    assert free_slug(alice.organization, "a__b") == "a-b"
    assert len(made(alice, "x" * 100).slug) <= 32


def test_a_token_is_sealed_and_shown_to_nobody(alice: Person) -> None:
    service = Service.objects.get(id=with_token(alice).id)
    assert TOKEN not in repr(service.token) + service.token.text
    assert open_for(service, "token").reveal() == TOKEN


@pytest.mark.parametrize(
    ("field", "value"), [("display_name", "CRM a-token-of-our-crm"), ("url", "http://127.0.0.1:9/mcp?x=a-token-of-our-crm")]
)
def test_promise_4_a_token_in_another_field_is_refused(alice: Person, field: str, value: str) -> None:
    token = Secret("a-token-of-our-crm")
    with pytest.raises(Invalid) as refused:
        made(alice, auth_type="bearer", token=token, **{{"display_name": "name"}.get(field, field): value})
    assert (refused.value.code, refused.value.attr) == ("holds_key", field)
    service = made(alice)
    with pytest.raises(Invalid):
        update_service(caller=alice.caller, service=service, token=token, **{field: value})
    assert not AuditEvent.objects.filter(object_label__contains=token.reveal()).exists()


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://10.0.0.1/mcp", "file:///etc/passwd"])
def test_an_address_the_operator_has_not_allowed_is_refused(alice: Person, url: str) -> None:
    with pytest.raises(Invalid) as refused:
        made(alice, url=url)
    assert (refused.value.code, refused.value.attr) == ("url_forbidden", "url")
    service = made(alice)
    with pytest.raises(Invalid):
        update_service(caller=alice.caller, service=service, url=url)


@pytest.mark.parametrize("token", ["two words", "Bearer abc", "two lines\nof text", "line\r\nX-Evil: 1", "tökén"])
def test_a_token_that_no_header_can_carry_is_refused(alice: Person, token: str) -> None:
    with pytest.raises(Invalid) as refused:
        made(alice, auth_type="bearer", token=Secret(token))
    assert refused.value.attr == "token"
    service = with_token(alice)
    with pytest.raises(Invalid):
        update_service(caller=alice.caller, service=service, token=Secret(token))
    assert open_for(Service.objects.get(id=service.id), "token").reveal() == TOKEN


def test_another_host_clears_the_token(alice: Person) -> None:
    service = with_token(alice)
    version = service.secret_version
    update_service(caller=alice.caller, service=service, url="http://127.0.0.1:10/mcp")
    assert not Service.objects.get(id=service.id).token
    assert service.secret_version > version
    assert service.status == "untested"


def test_another_path_of_the_same_host_keeps_it(alice: Person) -> None:
    service = with_token(alice)
    update_service(caller=alice.caller, service=service, url="http://127.0.0.1:9/other")
    assert open_for(Service.objects.get(id=service.id), "token").reveal() == TOKEN


def test_another_host_with_its_token_takes_that_one(alice: Person) -> None:
    service = with_token(alice)
    update_service(caller=alice.caller, service=service, url="http://127.0.0.1:10/mcp", token=Secret("another-token"))
    assert open_for(Service.objects.get(id=service.id), "token").reveal() == "another-token"


def test_a_downgrade_to_plain_http_is_another_host(alice: Person, settings: SettingsWrapper) -> None:
    settings.PRIVATE_HOSTS = ["127.0.0.1:*"]
    service = with_token(alice, url="https://127.0.0.1:9/mcp")
    update_service(caller=alice.caller, service=service, url="http://127.0.0.1:9/mcp")
    assert not Service.objects.get(id=service.id).token


@pytest.mark.parametrize("change", [{"token": Secret("another-token")}, {"auth_type": "none"}, {"transport": "sse"}])
def test_what_was_tested_is_untested_once_it_changes(alice: Person, change: dict[str, Any]) -> None:
    service = with_token(alice)
    Service.objects.update(status="unauthorized", status_detail="It refused the token.")
    service.refresh_from_db()
    version = service.secret_version
    update_service(caller=alice.caller, service=service, display_name="Renamed", is_enabled=False)
    assert (service.status, service.secret_version) == ("unauthorized", version)
    update_service(caller=alice.caller, service=service, **change)
    service.refresh_from_db()
    assert (service.status, service.status_detail) == ("untested", "")
    assert service.secret_version > version


def test_a_token_that_cannot_be_opened_is_not_moved(alice: Person) -> None:
    service = with_token(alice)
    DataKey.objects.all().delete()
    with pytest.raises(Conflict) as refused:
        update_service(caller=alice.caller, service=service, shared=True)
    assert refused.value.code == "unreadable"
    assert not Service.objects.get().shared


def test_under_another_kek_no_token_is_sealed(alice: Person, settings: SettingsWrapper) -> None:
    with_token(alice)
    settings.KEK = "another-key-encryption-key-0123456789"
    with pytest.raises(Conflict) as refused:
        with_token(alice)
    assert refused.value.code == "unreadable"


def test_two_changes_at_once_undo_nothing_of_each_other(alice: Person) -> None:
    service = with_token(alice)
    other = Service.objects.get(id=service.id)
    update_service(caller=alice.caller, service=service, token=Secret("another-token"))
    update_service(caller=alice.caller, service=other, display_name="Renamed")
    stored = Service.objects.get(id=service.id)
    assert (stored.display_name, open_for(stored, "token").reveal()) == ("Renamed", "another-token")


def test_sharing_is_an_admins_and_reseals_the_token(alice: Person, bob: Person) -> None:
    with pytest.raises(Forbidden):
        made(bob, shared=True)
    own = with_token(bob, name="Bob's")
    with pytest.raises(Forbidden):
        update_service(caller=bob.caller, service=own, shared=True)
    service = with_token(alice)
    update_service(caller=alice.caller, service=service, shared=True)
    shared = Service.objects.get(id=service.id)
    assert shared.shared
    assert open_for(shared, "token").reveal() == TOKEN
    for change in ({"is_enabled": False}, {"shared": False}):
        with pytest.raises(Forbidden):
            update_service(caller=bob.caller, service=shared, **change)
    with pytest.raises(Forbidden):
        delete_service(caller=bob.caller, service=shared)
    update_service(caller=alice.caller, service=shared, shared=False)
    assert Service.objects.get(id=service.id).owner_id == alice.user.pk
    assert open_for(Service.objects.get(id=service.id), "token").reveal() == TOKEN


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_who_only_looks_has_no_services(alice: Person, role: Role) -> None:
    looker = person("looker", alice.organization, role)
    with pytest.raises(Forbidden):
        made(looker)


def test_a_service_goes_with_its_tools(alice: Person) -> None:
    service = service_of(alice, "find")
    delete_service(caller=alice.caller, service=service)
    assert not ServiceTool.objects.exists()


# Pinning


@pytest.fixture
def service(alice: Person) -> Service:
    return made(alice)


def states(service: Service) -> dict[str, str]:
    return dict(service.tools.values_list("name", "state"))


def test_tools_seen_while_connecting_are_approved_and_ask(service: Service) -> None:
    pin_tools(service=service, definitions=[definition("find"), definition("close")])
    assert states(service) == {"find": "approved", "close": "approved"}
    assert set(service.tools.values_list("policy", "read_only")) == {("ask", False)}


def test_a_tool_that_comes_later_is_new(alice: Person, service: Service) -> None:
    pin_tools(service=service, definitions=[definition("find")])
    pin_tools(service=service, definitions=[definition("steal"), definition("find")])
    assert states(service) == {"steal": "new", "find": "approved"}
    tool = service.tools.get(name="steal")
    assert diff_of(tool) is None
    assert approve_definition(caller=alice.caller, service=service, tool=tool).state == "approved"


def test_a_service_that_hid_all_its_tools_for_a_while_gets_none_approved_by_that(service: Service) -> None:
    pin_tools(service=service, definitions=[definition("find")])
    pin_tools(service=service, definitions=[])
    assert states(service) == {}
    pin_tools(service=service, definitions=[definition("find", description="Now it does something else.")])
    assert states(service) == {"find": "new"}


def test_a_changed_definition_is_blocked_until_it_is_approved(alice: Person, service: Service) -> None:
    pin_tools(service=service, definitions=[definition("find")])
    before = service.tools.get().definition_hash
    pin_tools(service=service, definitions=[definition("find", description="Sends your mail away.", title="T")])
    tool = service.tools.get()
    assert (tool.state, tool.definition_hash, tool.description) == ("changed", before, "Does it.")
    assert diff_of(tool) == [
        {"field": "description", "before": "Does it.", "after": "Sends your mail away."},
        {"field": "annotations", "before": {}, "after": {"title": "T"}},
    ]
    approve_definition(caller=alice.caller, service=service, tool=tool)
    tool = service.tools.get()
    assert (tool.state, tool.description, tool.pending) == ("approved", "Sends your mail away.", None)
    assert tool.definition_hash != before
    with pytest.raises(Conflict) as refused:
        approve_definition(caller=alice.caller, service=service, tool=tool)
    assert refused.value.code == "already_approved"


@pytest.mark.parametrize(("policy", "then"), [("auto", "ask"), ("ask", "ask"), ("deny", "deny")])
def test_a_tool_that_was_classified_asks_again_once_its_definition_changed(alice: Person, service: Service, policy: str, then: str) -> None:
    pin_tools(service=service, definitions=[definition("find")])
    set_tool_policy(caller=alice.caller, service=service, tool=service.tools.get(), policy=policy, read_only=True)
    pin_tools(service=service, definitions=[definition("find", description="Sends your mail away.")])
    tool = service.tools.get()
    assert (tool.policy, tool.read_only) == (policy, True)
    approve_definition(caller=alice.caller, service=service, tool=tool)
    tool = service.tools.get()
    assert (tool.policy, tool.read_only, tool.state) == (then, False, "approved")


def test_a_new_tool_keeps_its_class_when_it_is_approved_and_loses_it_with_its_definition(alice: Person, service: Service) -> None:
    pin_tools(service=service, definitions=[])
    for description, policies in (("Does it.", ("auto", True)), ("Sends your mail away.", ("ask", False))):
        pin_tools(service=service, definitions=[definition("find")])
        set_tool_policy(caller=alice.caller, service=service, tool=service.tools.get(), policy="auto")
        pin_tools(service=service, definitions=[definition("find", description=description)])
        tool = approve_definition(caller=alice.caller, service=service, tool=service.tools.get())
        assert (tool.policy, tool.read_only) == policies
        tool.delete()


def test_a_definition_that_a_run_met_blocks_the_tool_and_leaves_the_others(alice: Person, service: Service) -> None:
    pin_tools(service=service, definitions=[definition("find"), definition("close")])
    block_tool(service_id=service.id, definition=definition("find"))
    assert states(service) == {"find": "approved", "close": "approved"}
    block_tool(service_id=service.id, definition=definition("find", description="Sends your mail away."))
    assert states(service) == {"find": "changed", "close": "approved"}
    tool = service.tools.get(name="find")
    assert diff_of(tool) == [{"field": "description", "before": "Does it.", "after": "Sends your mail away."}]
    assert approve_definition(caller=alice.caller, service=service, tool=tool).description == "Sends your mail away."


def test_a_tool_that_a_run_met_first_waits_for_approval_and_the_pinned_stay(service: Service) -> None:
    pin_tools(service=service, definitions=[definition("find"), definition("close")])
    note_tools(service_id=service.id, definitions=[definition("steal"), definition("find", description="x"), definition("more")])
    assert states(service) == {"find": "approved", "close": "approved", "steal": "new", "more": "new"}
    assert [tool.name for tool in service.tools.all()] == ["find", "close", "steal", "more"]
    assert service.tools.get(name="find").description == "Does it."
    assert set(service.tools.values_list("policy", flat=True)) == {"ask"}
    note_tools(service_id=uuid4(), definitions=[definition("steal")])
    assert ServiceTool.objects.count() == 4


def test_a_change_taken_back_is_none(service: Service) -> None:
    for each in (definition("find"), definition("find", description="x"), definition("find")):
        pin_tools(service=service, definitions=[each])
    tool = service.tools.get()
    assert (tool.state, tool.pending) == ("approved", None)


def test_a_new_tool_whose_definition_changed_again_is_no_more_approved_than_before(service: Service) -> None:
    pin_tools(service=service, definitions=[])
    pin_tools(service=service, definitions=[definition("find")])
    pin_tools(service=service, definitions=[definition("find", description="x")])
    pin_tools(service=service, definitions=[definition("find")])
    assert states(service) == {"find": "new"}


# Policies


@pytest.fixture
def tool(service: Service) -> ServiceTool:
    pin_tools(service=service, definitions=[definition("find")])
    return service.tools.get()


def test_two_changes_of_one_tool_at_once_undo_nothing_of_each_other(alice: Person, service: Service, tool: ServiceTool) -> None:
    stale = ServiceTool.objects.get(id=tool.id)
    set_tool_policy(caller=alice.caller, service=service, tool=tool, policy="deny")
    set_tool_policy(caller=alice.caller, service=service, tool=stale, read_only=True)
    tool.refresh_from_db()
    assert (tool.policy, tool.read_only) == ("deny", True)


@pytest.mark.django_db(transaction=True)
def test_tools_that_a_run_notes_wait_for_a_listing_that_is_being_stored(
    alice: Person, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find the same tool unknown: the second to store it must see the first."""
    known, noting = [definition("find")], Thread(target=_noted, args=(service,))

    def meanwhile(tool: ServiceTool, found: ToolDefinition) -> None:
        noting.start()
        noting.join(0.5)
        meet(tool, found)

    monkeypatch.setattr("agent.services.listing.meet", meanwhile)
    record_listing(service=service, listing=Listing(timezone.now(), 1, known))
    noting.join()
    assert [tool.name for tool in service.tools.all()] == ["find"]


def _noted(service: Service) -> None:
    try:
        with transaction.atomic():
            note_tools(service_id=service.id, definitions=[definition("find")])
    finally:
        connection.close()


def test_auto_classifies_a_tool_as_reading(alice: Person, service: Service, tool: ServiceTool) -> None:
    set_tool_policy(caller=alice.caller, service=service, tool=tool, policy="auto")
    assert (tool.policy, tool.read_only, tool.counts_as_read_only) == ("auto", True, True)
    set_tool_policy(caller=alice.caller, service=service, tool=tool, policy="deny")
    assert tool.policy == "deny"
    set_tool_policy(caller=alice.caller, service=service, tool=tool, read_only=False)
    tool.refresh_from_db()
    assert not tool.read_only


@pytest.mark.parametrize("hints", [{"readOnlyHint": False}, {"destructiveHint": True}, {"readOnlyHint": True, "destructiveHint": True}])
def test_what_a_service_says_of_its_tool_can_only_tighten(alice: Person, service: Service, hints: dict[str, bool]) -> None:
    pin_tools(service=service, definitions=[definition("close", **hints)])
    tool = service.tools.get()
    for change, attr in (({"policy": "auto"}, "policy"), ({"read_only": True}, "read_only")):
        with pytest.raises(Invalid, match="can ask or be denied") as refused:
            set_tool_policy(caller=alice.caller, service=service, tool=tool, **change)  # type: ignore[arg-type]
        assert (refused.value.code, refused.value.attr) == ("not_read_only", attr)
    tool.read_only = True
    assert not tool.counts_as_read_only


def test_a_member_does_not_classify_shared_tools(alice: Person, bob: Person) -> None:
    service = service_of(alice, "find", shared=True)
    tool = service.tools.get()
    with pytest.raises(Forbidden):
        set_tool_policy(caller=bob.caller, service=service, tool=tool, policy="auto")
    with pytest.raises(Forbidden):
        approve_definition(caller=bob.caller, service=service, tool=tool)


def test_a_grant_is_its_owners_to_revoke(alice: Person, bob: Person) -> None:
    service = service_of(alice, "find", shared=True)
    grant = ToolGrant.objects.create(user=alice.user, service=service, tool_name="find", definition_hash="h")
    with pytest.raises(ToolGrant.DoesNotExist):
        revoke_grant(caller=bob.caller, service=service, grant_id=grant.id)
    with pytest.raises(ToolGrant.DoesNotExist):
        revoke_grant(caller=alice.caller, service=service, grant_id=uuid4())
    revoke_grant(caller=alice.caller, service=service, grant_id=grant.id)
    assert not ToolGrant.objects.exists()


# Asking a service for its tools


def test_a_service_that_answers_is_connected_and_pinned(alice: Person, demo_url: str) -> None:
    service = made(alice, url=demo_url)
    outcome = refresh_tools(service=service)
    assert outcome["ok"]
    assert outcome["error"] is None
    assert outcome["tools"] == list(service.tools.values_list("name", flat=True))
    assert "search_tickets" in outcome["tools"]
    assert (service.status, service.status_detail) == ("connected", "")
    assert service.last_tested_at is not None


def test_what_was_left_out_of_its_list_is_said_and_the_service_is_connected(alice: Person) -> None:
    service = made(alice)
    for left_out in ("1 entry of its list is left out, being no usable tool: 'x'.", "x" * 600, ""):
        listing = Listing(timezone.now(), 3, [definition("find")], left_out=left_out)
        assert record_listing(service=service, listing=listing)["ok"]
        assert (service.status, service.status_detail) == ("connected", left_out[:500])


def test_what_the_client_left_out_reaches_the_service(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    async def probe(*_: Any) -> ToolListing:
        found = ToolListing([definition("find")])
        found.left_out = "It lists more tools than are taken."
        return found

    monkeypatch.setattr("agent.mcp.pool.probe", probe)
    service = made(alice)
    assert refresh_tools(service=service)["tools"] == ["find"]
    assert (service.status, service.status_detail) == ("connected", "It lists more tools than are taken.")


def test_a_service_that_does_not_answer_is_kept_with_the_reason(alice: Person) -> None:
    service = made(alice, url="http://127.0.0.1:1/mcp")
    outcome = refresh_tools(service=service)
    assert not outcome["ok"]
    assert outcome["error"]["kind"] == "service_unreachable"
    assert "Check the service's address" in outcome["error"]["detail"]
    assert service.status == "unreachable"
    assert service.status_detail


def test_an_address_that_is_no_service_is_an_error_of_its_own(alice: Person, demo_url: str) -> None:
    service = made(alice, url=demo_url.replace("/mcp", "/healthz"))
    assert not refresh_tools(service=service)["ok"]
    assert service.status == "error"


def test_without_its_token_a_service_is_not_asked(alice: Person, demo_url: str) -> None:
    service = made(alice, url=demo_url, auth_type="bearer")
    assert refresh_tools(service=service)["error"]["kind"] == "service_unauthorized"
    assert service.status == "unauthorized"
    assert not service.tools.exists()


def test_a_token_that_cannot_be_opened_is_said_so(alice: Person, demo_url: str) -> None:
    service = with_token(alice, url=demo_url)
    DataKey.objects.all().delete()
    assert "cannot be opened" in refresh_tools(service=service)["error"]["detail"]
