"""Conversations: what posting a message leaves behind, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from agent.models import Conversation, Message, Run
from agent.services import live
from agent.services.conversations import create_conversation, delete_conversation, post_message, update_conversation
from llmconfig.llm import Secret
from llmconfig.services import create_config, default_target, update_config
from llmconfig.tenancy.errors import Conflict, Invalid, Unavailable
from tests.agent.rows import conversation_of, service_of

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from agent.services.conversations import Posted
    from tests.llmconfig.people import Person


@pytest.fixture
def conversation(alice: Person) -> Conversation:
    return conversation_of(alice)


@pytest.fixture(autouse=True)
def _never_asked(monkeypatch: pytest.MonkeyPatch, valkey: str) -> None:
    """As if Valkey had not been asked yet."""
    monkeypatch.setattr(live, "_answered_at", float("-inf"))


def post(person: Person, conversation: Conversation, text: str = "Hello", **fields: Any) -> Posted:
    return post_message(caller=person.caller, conversation=conversation, parts=[{"type": "text", "text": text}], **fields)


def key(person: Person, **fields: Any) -> str:
    """A model id of a config of this person's."""
    config = create_config(caller=person.caller, provider_type="anthropic", api_key=Secret("sk-ant-test-1234567890"), **fields)
    return f"{config.id}/claude"


def test_a_message_makes_a_queued_run_and_rings(
    alice: Person, conversation: Conversation, rung: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        posted = post(alice, conversation, "  What is new?  ")
    run = Run.objects.get()
    target = default_target(alice.caller)
    assert target is not None
    assert (run.status, run.user_id, run.config_id, run.model) == ("queued", alice.user.pk, target[0].id, "demo-1")
    assert posted.message.parts == [{"type": "text", "text": "  What is new?  "}]
    assert (posted.message.position, posted.message.run_id, posted.message.status) == (1, run.id, "completed")
    assert rung == [str(run.id)]


def test_one_run_at_a_time(alice: Person, conversation: Conversation, rung: list[str]) -> None:
    post(alice, conversation)
    with pytest.raises(Conflict) as refused:
        post(alice, conversation)
    assert refused.value.code == "run_active"
    assert Message.objects.count() == 1
    Run.objects.update(status="waiting_approval")
    with pytest.raises(Conflict):
        post(alice, conversation)
    Run.objects.update(status="completed")
    assert post(alice, conversation).message.position == 2


def test_the_first_message_gives_the_title(alice: Person, conversation: Conversation, rung: list[str]) -> None:
    post(alice, conversation, "How\n\n do  refunds work, and who may give one when the customer asks for it late?")
    conversation.refresh_from_db()
    assert conversation.title == "How do refunds work, and who may give one when the…"
    Run.objects.update(status="completed")
    post(alice, conversation, "Another")
    conversation.refresh_from_db()
    assert conversation.title.startswith("How do refunds")


def test_a_word_without_end_makes_a_title_too(alice: Person, conversation: Conversation, rung: list[str]) -> None:
    post(alice, conversation, "x" * 500)
    conversation.refresh_from_db()
    assert conversation.title == "x" * 59 + "…"


def test_a_message_that_is_too_long_is_refused_with_figures(alice: Person, conversation: Conversation, settings: SettingsWrapper) -> None:
    settings.MAX_MESSAGE_CHARS = 1200
    with pytest.raises(Invalid, match=r"1,201 characters; 1,200 are allowed") as refused:
        post(alice, conversation, "x" * 1201)
    assert (refused.value.code, refused.value.attr) == ("max_length", "content")
    assert not Run.objects.exists()


@pytest.mark.usefixtures("rung")
def test_without_valkey_nothing_is_accepted(alice: Person, conversation: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    with Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=1) as nobody:
        monkeypatch.setattr(live, "valkey", lambda: nobody)
        with pytest.raises(Unavailable) as refused:
            post(alice, conversation)
    assert refused.value.retry_after == 5
    assert not Run.objects.exists()
    assert not Message.objects.exists()


def test_a_message_may_bring_a_new_target(alice: Person, conversation: Conversation, rung: list[str]) -> None:
    target = key(alice)
    post(alice, conversation, target=target)
    run, conversation = Run.objects.get(), Conversation.objects.get()
    assert f"{run.config_id}/{run.model}" == target == f"{conversation.config_id}/{conversation.model}"


def test_a_target_switches_and_falls_back_to_the_default(alice: Person, conversation: Conversation, rung: list[str]) -> None:
    target = key(alice)
    update_conversation(caller=alice.caller, conversation=conversation, changes={"target": target})
    assert post(alice, conversation).run.model == "claude"
    Run.objects.update(status="completed")
    update_conversation(caller=alice.caller, conversation=conversation, changes={"target": None})
    assert post(alice, conversation).run.model == "demo-1"


def test_two_changes_at_once_undo_nothing_of_each_other(alice: Person, conversation: Conversation) -> None:
    other, target = Conversation.objects.get(id=conversation.id), key(alice)
    update_conversation(caller=alice.caller, conversation=conversation, changes={"target": target, "services": []})
    update_conversation(caller=alice.caller, conversation=other, changes={"title": "Refunds", "system_prompt": "Be brief."})
    conversation.refresh_from_db()
    assert (conversation.title, conversation.system_prompt, conversation.services) == ("Refunds", "Be brief.", [])
    assert f"{conversation.config_id}/{conversation.model}" == target


def test_a_config_that_was_disabled_since_refuses_the_next_message(alice: Person, rung: list[str]) -> None:
    target = key(alice, name="Mine")
    conversation = create_conversation(caller=alice.caller, target=target)
    update_config(caller=alice.caller, id=target.partition("/")[0], is_enabled=False)  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="disabled"):
        post(alice, conversation)


def test_without_any_model_a_message_says_what_to_do(mallory: Person, settings: SettingsWrapper, rung: list[str]) -> None:
    settings.DEMO = False
    with pytest.raises(Invalid, match="Add a provider") as refused:
        post(mallory, conversation_of(mallory))
    assert refused.value.code == "no_model"


@pytest.mark.parametrize("target", ["", "x", "x/y", "00000000-0000-4000-8000-000000000001/m"])
def test_a_target_that_is_none_is_refused(alice: Person, target: str) -> None:
    with pytest.raises(Invalid) as refused:
        create_conversation(caller=alice.caller, target=target)
    assert refused.value.code == "unknown_model"


def test_foreign_configs_and_services_are_refused(alice: Person, bob: Person, mallory: Person) -> None:
    for other in (bob, mallory):
        with pytest.raises(Invalid):
            create_conversation(caller=alice.caller, target=key(other))
        foreign = service_of(other, slug=other.user.username)
        with pytest.raises(Invalid, match=str(foreign.id)):
            create_conversation(caller=alice.caller, services=[foreign.id])
    assert not Conversation.objects.exists()


def test_services_are_all_none_or_named(alice: Person) -> None:
    own, shared = service_of(alice, slug="own"), service_of(alice, slug="ours", shared=True)
    assert create_conversation(caller=alice.caller).services is None
    assert create_conversation(caller=alice.caller, services=[]).services == []
    named = create_conversation(caller=alice.caller, services=[own.id, shared.id])
    assert named.services == [str(own.id), str(shared.id)]
    update_conversation(caller=alice.caller, conversation=named, changes={"services": None, "title": "T", "system_prompt": "S"})
    named.refresh_from_db()
    assert (named.services, named.title, named.system_prompt) == (None, "T", "S")


def test_a_conversation_goes_with_all_that_was_said_but_not_under_a_run(alice: Person, conversation: Conversation, rung: list[str]) -> None:
    post(alice, conversation)
    with pytest.raises(Conflict) as refused:
        delete_conversation(caller=alice.caller, conversation=conversation)
    assert refused.value.code == "run_active"
    Run.objects.update(status="completed")
    delete_conversation(caller=alice.caller, conversation=conversation)
    assert not Message.objects.exists()
