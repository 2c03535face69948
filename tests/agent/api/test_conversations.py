"""/api/conversations and their messages, as api.md has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from agent.api.conversations import own_conversations
from agent.models import Conversation, Message, Run, ToolCall
from llmconfig.llm import Secret
from llmconfig.services import create_config
from llmconfig.tenancy.models import Role
from tests.agent.rows import answered, claimed, conversation_of, decision, queued_run, service_of, tool_call
from tests.llmconfig.people import person

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.usefixtures("valkey")

ALL = "/api/conversations"
CONVERSATION = {
    *("id", "title", "system_prompt", "target", "services", "reasoning", "history_policy"),
    *("created_at", "updated_at", "active_run", "last_run"),
}
MESSAGE = {"id", "role", "parts", "model", "provider", "finish_reason", "finish_raw", "created_at", "status", "run"}


@pytest.fixture
def client(alice: Person) -> APIClient:
    return alice.client()


@pytest.fixture
def conversation(alice: Person) -> Conversation:
    return conversation_of(alice, title="Refunds")


def one(conversation: Conversation | str) -> str:
    return f"{ALL}/{getattr(conversation, 'id', conversation)}"


def messages(conversation: Conversation) -> str:
    return f"{one(conversation)}/messages"


def error(response: Any) -> dict[str, Any]:
    body = response.json()
    assert set(body) == {"type", "errors"}
    first: dict[str, Any] = body["errors"][0]
    assert set(first) == {"code", "detail", "attr"}
    return first


def test_what_happens_to_a_history_that_is_too_long_is_a_setting(client: APIClient) -> None:
    made = client.post(ALL, {"history_policy": "refuse"}).json()
    assert made["history_policy"] == "refuse"
    assert client.patch(one(made["id"]), {"history_policy": "trim"}).json()["history_policy"] == "trim"
    assert client.patch(one(made["id"]), {"history_policy": "forget"}).status_code == 400


def test_a_conversation_is_made_and_read_back(client: APIClient, alice: Person) -> None:
    config = create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("sk-ant-test-1234567890"))
    service = service_of(alice)
    body = {"title": "T", "system_prompt": " Be brief. ", "target": {"model": f"{config.id}/claude"}, "services": [str(service.id)]}
    made = client.post(ALL, body)
    assert made.status_code == 201
    assert set(made.json()) == CONVERSATION
    assert {name: made.json()[name] for name in body} == body
    assert made.json()["history_policy"] == "trim"
    assert (made.json()["active_run"], made.json()["last_run"]) == (None, None)
    assert client.get(one(made.json()["id"])).json() == made.json()


def test_an_empty_body_means_all_services_and_the_default_model(client: APIClient) -> None:
    made = client.post(ALL, {}).json()
    assert (made["title"], made["target"], made["services"]) == ("", None, None)


@pytest.mark.parametrize(
    ("body", "code", "attr"),
    [
        ({"titel": "x"}, "unknown_field", "titel"),
        ({"target": {"model": "x", "temperature": 1}}, "unknown_field", "target.temperature"),
        ({"target": {"model": "nope"}}, "unknown_model", "target.model"),
        ({"services": ["nope"]}, "invalid", "services.0"),
        ({"services": [str(uuid4())]}, "does_not_exist", "services"),
        ({"title": "x" * 201}, "max_length", "title"),
        ({"title": "a\x00b"}, "invalid_text", "title"),
    ],
)
def test_what_a_conversation_cannot_be_is_refused_by_name(client: APIClient, body: dict[str, Any], code: str, attr: str) -> None:
    response = client.post(ALL, body)
    assert response.status_code == 400
    found = error(response)
    assert (found["code"], found["attr"]) == (code, attr)
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("body", ["{", "[1, 2", '"x', "[" * 100_000])
def test_malformed_json_is_a_400(client: APIClient, body: str) -> None:
    response = client.post(ALL, data=body, content_type="application/json")
    assert response.status_code == 400
    assert error(response)["code"] == "parse_error"


def test_a_list_of_things_is_no_conversation(client: APIClient) -> None:
    assert client.post(ALL, [1, 2]).status_code == 400


def test_a_conversation_changes(client: APIClient, alice: Person, conversation: Conversation) -> None:
    config = create_config(caller=alice.caller, provider_type="openai", api_key=Secret("sk-test-1234567890123"))
    service = service_of(alice)
    target = {"model": f"{config.id}/gpt-5.4"}
    changed = client.patch(one(conversation), {"title": "New", "target": target, "services": [str(service.id)]})
    assert changed.status_code == 200
    assert (changed.json()["title"], changed.json()["target"], changed.json()["services"]) == ("New", target, [str(service.id)])
    assert client.patch(one(conversation), {"title": "Newer"}).json()["target"] == target
    back = client.patch(one(conversation), {"target": None, "services": None}).json()
    assert (back["target"], back["services"], back["title"]) == (None, None, "Newer")
    assert error(client.patch(one(conversation), {"owner": "x"}))["code"] == "unknown_field"


def test_a_target_without_a_model_is_no_target(client: APIClient, alice: Person) -> None:
    config = create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("sk-ant-test-1234567890"))
    conversation = conversation_of(alice, config=config, model="claude")
    refused = client.patch(one(conversation), {"target": {}})
    assert (refused.status_code, error(refused)["code"], error(refused)["attr"]) == (400, "required", "target.model")
    conversation.refresh_from_db()
    assert conversation.config_id == config.id


def test_a_conversation_is_deleted_but_not_under_a_run(client: APIClient, alice: Person, conversation: Conversation) -> None:
    queued_run(alice, conversation=conversation)
    response = client.delete(one(conversation))
    assert (response.status_code, error(response)["code"]) == (409, "run_active")
    Run.objects.update(status="completed")
    response = client.delete(one(conversation))
    assert (response.status_code, response.content) == (204, b"")
    assert client.get(one(conversation)).status_code == 404


def test_what_a_deleted_conversation_cost_is_kept_but_nothing_that_was_said(client: APIClient, alice: Person) -> None:
    run = queued_run(alice, "Delete the secret plans")
    answered(claimed(run), run, calls=(decision(tool_call(query="secret plans"), service_of(alice, "find")),))
    Run.objects.update(status="completed")
    assert ToolCall.objects.exists()
    assert client.delete(f"/api/conversations/{run.conversation_id}").status_code == 204
    kept = client.get(f"/api/runs/{run.id}").json()
    assert (kept["conversation"], len(kept["steps"][0]["attempts"]), kept["steps"][0]["tool_calls"]) == (None, 1, [])
    assert not Message.objects.exists()
    assert "secret" not in json.dumps(kept)


def test_a_message_is_accepted_with_its_run(client: APIClient, conversation: Conversation) -> None:
    response = client.post(messages(conversation), {"content": " What is new? "})
    assert response.status_code == 202
    body = response.json()
    assert set(body) == {"message", "run"}
    assert set(body["message"]) == MESSAGE
    assert body["run"] == {"id": body["message"]["run"], "status": "queued"}
    assert (body["message"]["role"], body["message"]["status"]) == ("user", "completed")
    assert body["message"]["parts"] == [{"type": "text", "text": " What is new? "}]
    assert client.get(one(conversation)).json()["active_run"] == body["run"]
    again = client.post(messages(conversation), {"content": "And now?"})
    assert (again.status_code, error(again)["code"]) == (409, "run_active")


def test_parts_and_a_target_may_come_with_a_message(client: APIClient, alice: Person, conversation: Conversation) -> None:
    config = create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("sk-ant-test-1234567890"))
    parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]
    target = {"model": f"{config.id}/claude"}
    response = client.post(messages(conversation), {"parts": parts, "target": target})
    assert response.status_code == 202
    assert response.json()["message"]["parts"] == parts
    assert client.get(one(conversation)).json()["target"] == target


@pytest.mark.parametrize(
    ("body", "code", "attr"),
    [
        ({}, "invalid", "non_field_errors"),
        ({"content": "a", "parts": [{"type": "text", "text": "b"}]}, "invalid", "non_field_errors"),
        ({"content": " \n "}, "blank", "content"),
        ({"content": ""}, "blank", "content"),
        ({"parts": []}, "empty", "parts.non_field_errors"),
        ({"parts": [{"type": "image", "data": "x", "media_type": "image/png"}]}, "invalid", "parts.0.data"),
        ({"parts": [{"type": "image", "url": "https://example.com/x.png"}]}, "unknown_field", "parts.0.url"),
        ({"parts": [{"type": "image"}]}, "required", "parts.0.attachment"),
        ({"parts": [{"type": "image", "data": "AAAA"}]}, "required", "parts.0.media_type"),
        ({"parts": [{"type": "image", "attachment": "x"}]}, "invalid", "parts.0.attachment"),
        ({"parts": [{"type": "image", "attachment": str(uuid4()), "text": "x"}]}, "invalid", "parts.0.text"),
        ({"parts": [{"type": "image", "attachment": str(uuid4())}]}, "does_not_exist", "parts.0.attachment"),
        ({"parts": [{"type": "text"}]}, "required", "parts.0.text"),
        ({"parts": [{"type": "text", "text": " "}]}, "blank", "content"),
        ({"parts": [{"type": "tool_result", "text": "x"}]}, "invalid_choice", "parts.0.type"),
        ({"content": "x", "role": "assistant"}, "unknown_field", "role"),
        ({"content": {"a": 1}}, "invalid", "content"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(
    client: APIClient, conversation: Conversation, body: dict[str, Any], code: str, attr: str
) -> None:
    response = client.post(messages(conversation), body)
    assert response.status_code == 400
    codes = {(found["code"], found["attr"]) for found in response.json()["errors"]}
    assert (code, attr) in codes
    assert not Message.objects.exists()


def test_half_a_character_is_refused(client: APIClient, conversation: Conversation) -> None:
    response = client.post(messages(conversation), data='{"content": "half \\ud83d"}', content_type="application/json")
    assert (response.status_code, error(response)["code"]) == (400, "invalid_text")


@pytest.mark.parametrize("cursor", ["cD14", "cD0tMQ==", "cD0yMDI2LTAxLTAx", "cD05OTk5OTk5OTk5OTk="])
def test_a_forged_cursor_is_not_found(client: APIClient, conversation: Conversation, cursor: str) -> None:
    assert client.get(messages(conversation), {"cursor": cursor}).status_code == 404


@pytest.mark.parametrize("signed_in", ["token", "session"])
def test_a_body_that_is_too_large_is_refused_unread(alice: Person, conversation: Conversation, settings: Any, signed_in: str) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    client = alice.client()
    if signed_in == "session":  # whose CSRF check reads the body first
        client = APIClient(enforce_csrf_checks=True)
        client.force_login(alice.user)
        client.get("/")
        client.credentials(HTTP_X_CSRFTOKEN=client.cookies["csrftoken"].value)
    refused = client.post(messages(conversation), {"content": "x" * 2000}, format="json")
    assert refused.status_code == 413
    assert error(refused) == {
        "code": "request_too_large",
        "detail": "The request is larger than 1,000 bytes. Shorten it, or split it.",
        "attr": None,
    }
    assert not Message.objects.exists()


def test_a_message_that_is_too_long_says_how_long_it_may_be(client: APIClient, conversation: Conversation, settings: Any) -> None:
    settings.MAX_MESSAGE_CHARS = 10
    found = error(client.post(messages(conversation), {"content": "x" * 11}))
    assert (found["code"], found["attr"]) == ("max_length", "content")
    assert "10 are allowed" in found["detail"]


def test_the_longest_message_fits_however_it_is_escaped(client: APIClient, conversation: Conversation, settings: Any) -> None:
    body = json.dumps({"content": "\N{SLIGHTLY SMILING FACE}" * settings.MAX_MESSAGE_CHARS})
    assert client.generic("POST", messages(conversation), body, content_type="application/json").status_code == 202


@pytest.mark.parametrize("reasoning", [{"effort": "high"}, {"budget_tokens": 4096}, {"budget_tokens": 0}, None])
def test_how_much_the_model_may_think_is_the_conversations_until_a_message_says_otherwise(
    client: APIClient, reasoning: dict[str, Any] | None
) -> None:
    made = client.post(ALL, {"reasoning": reasoning})
    assert (made.status_code, made.json()["reasoning"]) == (201, reasoning)
    conversation = Conversation.objects.get()
    for body, expected in (({}, reasoning), ({"reasoning": {"effort": "low"}}, {"effort": "low"}), ({"reasoning": None}, None)):
        run = client.post(messages(conversation), {"content": "Hi", **body}).json()["run"]["id"]
        assert client.get(f"/api/runs/{run}").json()["reasoning"] == expected
        Run.objects.update(status="completed")
    assert client.patch(one(conversation), {"reasoning": {"effort": "none"}}).json()["reasoning"] == {"effort": "none"}
    assert client.patch(one(conversation), {"title": "T"}).json()["reasoning"] == {"effort": "none"}
    assert client.patch(one(conversation), {"reasoning": None}).json()["reasoning"] is None


@pytest.mark.parametrize(
    ("reasoning", "code", "attr"),
    [
        ({}, "invalid", "reasoning.non_field_errors"),
        ({"effort": "low", "budget_tokens": 5}, "invalid", "reasoning.non_field_errors"),
        ({"effort": "huge"}, "invalid_choice", "reasoning.effort"),
        ({"budget_tokens": -1}, "min_value", "reasoning.budget_tokens"),
        ({"budget_tokens": True}, "invalid", "reasoning.budget_tokens"),
        ({"tokens": 5}, "unknown_field", "reasoning.tokens"),
        ("high", "invalid", "reasoning.non_field_errors"),
    ],
)
def test_what_is_no_reasoning_is_refused_by_name(
    client: APIClient, conversation: Conversation, reasoning: Any, code: str, attr: str
) -> None:
    for response in (
        client.post(ALL, {"reasoning": reasoning}),
        client.patch(one(conversation), {"reasoning": reasoning}),
        client.post(messages(conversation), {"content": "Hi", "reasoning": reasoning}),
    ):
        assert response.status_code == 400
        assert (error(response)["code"], error(response)["attr"]) == (code, attr)


def test_an_answer_may_be_asked_for_by_a_schema(client: APIClient, conversation: Conversation) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    run = client.post(messages(conversation), {"content": "Hi", "output_schema": schema}).json()["run"]["id"]
    assert client.get(f"/api/runs/{run}").json()["output_schema"] == schema


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ({}, "invalid_schema"),
        ({"type": "array"}, "invalid_schema"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "invalid_schema"),
        ({"type": "object", "patternProperties": {}}, "invalid_schema"),
        ({"type": "object", "description": "x" * 32_000}, "invalid_schema"),
        ({"type": "object", "description": "\0"}, "invalid_text"),
        ([], "not_a_dict"),
    ],
)
def test_a_schema_that_no_answer_can_meet_is_refused(client: APIClient, conversation: Conversation, schema: Any, code: str) -> None:
    response = client.post(messages(conversation), {"content": "Hi", "output_schema": schema})
    assert response.status_code == 400
    assert (error(response)["code"], error(response)["attr"]) == (code, "output_schema")
    assert not Run.objects.exists()


def test_messages_come_oldest_first_in_pages(client: APIClient, alice: Person, conversation: Conversation) -> None:
    for number in range(5):
        queued_run(alice, f"Message {number}", conversation)
        Run.objects.update(status="completed")
    page = client.get(messages(conversation), {"page_size": 2}).json()
    seen = [row["parts"][0]["text"] for row in page["results"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [row["parts"][0]["text"] for row in page["results"]]
    assert seen == [f"Message {number}" for number in range(5)]


def test_conversations_come_newest_first_in_pages(client: APIClient, alice: Person, bob: Person, mallory: Person) -> None:
    made = [conversation_of(alice, title=f"C{number}") for number in range(5)]
    for other in (bob, mallory):
        conversation_of(other, title="not Alice's")
    page = client.get(ALL, {"page_size": 2}).json()
    assert set(page) == {"next", "previous", "results"}
    seen = [row["title"] for row in page["results"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [row["title"] for row in page["results"]]
    assert seen == [row.title for row in reversed(made)]
    assert client.get(ALL, {"cursor": "nonsense"}).status_code == 404


def test_lists_cost_the_same_however_long_they_are(client: APIClient, alice: Person, django_assert_max_num_queries: Any) -> None:
    def cost(url: str) -> int:
        with django_assert_max_num_queries(8) as counted:
            assert client.get(url).status_code == 200
        return len(counted)

    client.get(ALL)  # the token's first use is noted
    first = conversation_of(alice)
    for number in range(3):
        run = queued_run(alice, conversation=first)
        answered(claimed(run), run, text=f"Answer {number}")
        Run.objects.update(status="completed")
    short = cost(ALL), cost(messages(first))
    for _ in range(6):
        other = conversation_of(alice)
        for conversation in (first, other):
            run = queued_run(alice, conversation=conversation)
            answered(claimed(run), run, text="More")
            Run.objects.update(status="completed")
    assert (cost(ALL), cost(messages(first))) == short


def test_a_page_of_conversations_loads_one_run_of_each(alice: Person) -> None:
    for conversation in (conversation_of(alice), conversation_of(alice)):
        for _ in range(3):
            newest = queued_run(alice, conversation=conversation)
            Run.objects.update(status="completed")
    runs = [row.newest_runs for row in own_conversations(alice.caller)]  # type: ignore[attr-defined]
    assert [len(loaded) for loaded in runs] == [1, 1]
    assert runs[0][0].id == newest.id


def test_the_newest_run_is_named_while_it_is_active(client: APIClient, alice: Person, conversation: Conversation) -> None:
    for status in ("failed", "waiting_approval"):
        run = queued_run(alice, conversation=conversation)
        Run.objects.filter(id=run.id).update(status=status)
    for row in (client.get(one(conversation)).json(), client.get(ALL).json()["results"][0]):
        assert row["active_run"] == row["last_run"] == {"id": str(run.id), "status": "waiting_approval"}
    Run.objects.update(status="completed")
    row = client.get(one(conversation)).json()
    assert (row["active_run"], row["last_run"]["status"]) == (None, "completed")


def test_what_is_shown_of_an_answer(client: APIClient, alice: Person, conversation: Conversation) -> None:
    run = queued_run(alice, conversation=conversation)
    answered(claimed(run), run, text="Hello")
    shown = client.get(messages(conversation)).json()["results"][1]
    assert set(shown) == MESSAGE
    assert (shown["role"], shown["provider"], shown["model"], shown["finish_reason"]) == ("assistant", "demo", "demo-1", "stop")
    assert shown["parts"] == [{"type": "text", "text": "Hello"}]


def test_the_same_idempotency_key_answers_the_same(client: APIClient, conversation: Conversation) -> None:
    for url, body in ((ALL, {"title": "Once"}), (messages(conversation), {"content": "Once"})):
        first, second = (client.post(url, body, headers={"Idempotency-Key": "k1"}) for _ in range(2))
        assert first.status_code == second.status_code
        assert first.json() == second.json()
        other = client.post(url, {next(iter(body)): "Twice"}, headers={"Idempotency-Key": "k1"})
        assert (other.status_code, error(other)["code"]) == (409, "idempotency_mismatch")
    assert Conversation.objects.count() == 2
    assert Message.objects.count() == Run.objects.count() == 1


def test_a_key_whose_request_was_refused_is_free_again(client: APIClient) -> None:
    refused = client.post(ALL, {"target": {"model": "nope"}}, headers={"Idempotency-Key": "k2"})
    assert refused.status_code == 400
    assert client.post(ALL, {"title": "Now"}, headers={"Idempotency-Key": "k2"}).status_code == 201


def test_foreign_ids_are_not_found(alice: Person, bob: Person, mallory: Person, conversation: Conversation) -> None:
    for other in (bob, mallory):
        stranger = other.client()
        calls = [
            stranger.get(one(conversation)),
            stranger.patch(one(conversation), {"title": "mine"}),
            stranger.delete(one(conversation)),
            stranger.get(messages(conversation)),
            stranger.post(messages(conversation), {"content": "x"}),
        ]
        assert [response.status_code for response in calls] == [404] * 5
    assert stranger.get(one(str(uuid4()))).status_code == 404
    assert stranger.get(f"{ALL}/nonsense").status_code == 404
    conversation.refresh_from_db()
    assert conversation.title == "Refunds"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_who_only_looks_has_no_conversations(alice: Person, role: Role) -> None:
    client = person("looker", alice.organization, role).client()
    assert client.get(ALL).status_code == 403
    assert client.post(ALL, {}).status_code == 403


def test_a_token_that_may_only_read_says_nothing(alice: Person, conversation: Conversation) -> None:
    client = alice.client(["read"])
    assert client.get(one(conversation)).status_code == 200
    for response in (client.post(ALL, {}), client.post(messages(conversation), {"content": "x"}), client.delete(one(conversation))):
        assert response.status_code == 403


def test_nobody_is_asked_to_sign_in(client: APIClient, conversation: Conversation) -> None:
    client.credentials()
    response = client.get(one(conversation))
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
