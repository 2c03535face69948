"""A new key in place of one that works: tried first, the old one kept for the grace, brought back or destroyed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection as database
from django.utils import timezone

from llmconfig import services
from llmconfig.llm import Secret
from llmconfig.models import AuditEvent, DataKey, RetiredKey, UserLLMConfig
from llmconfig.services import change_config, create_config, restore_key, reveal_for_run, shred_retired_keys, update_config
from llmconfig.services import connection as connections
from llmconfig.services.retired import shred_what_is_due
from llmconfig.tenancy.audit import SYSTEM
from llmconfig.tenancy.errors import Conflict, Forbidden, Invalid
from tests.fakes.script import Failure

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from tests.fakes.server import FakeVendor
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
KEY, NEXT, WRONG = Secret("sk-ant-first-0123-aaaa"), Secret("sk-ant-second-0123-bbbb"), Secret("sk-ant-wrong-0123-cccc")


def make(alice: Person, vendor: FakeVendor | None = None, **fields: Any) -> UserLLMConfig:
    """One whose key works, as far as anybody knows."""
    base = {"base_url": vendor.base_url} if vendor else {}
    config = create_config(caller=alice.caller, provider_type="anthropic", api_key=KEY, **{**base, **fields})
    UserLLMConfig.objects.filter(pk=config.pk).update(status="valid")
    return fresh(config)


def fresh(config: UserLLMConfig) -> UserLLMConfig:
    return UserLLMConfig.objects.get(pk=config.pk)


def key_of(config: UserLLMConfig) -> Secret:
    return services.open_credentials(fresh(config)).api_key


def events(*actions: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action__in=actions).order_by("seq"))


def test_a_new_key_is_tried_before_it_replaces_one_that_works(alice: Person, vendor: FakeVendor) -> None:
    changed = change_config(caller=alice.caller, id=make(alice, vendor).pk, api_key=NEXT)
    assert (changed.status, changed.secret_version, key_of(changed)) == ("valid", 2, NEXT)
    [rotated] = events("config.rotated")
    assert rotated.details["hint"] == ["…aaaa", "…bbbb"]
    assert rotated.details["check"] == "passed"
    assert [event.details["models"] for event in events("config.tested")] == [len(vendor.models)]


def test_a_key_that_the_vendor_refuses_replaces_nothing(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor)
    with pytest.raises(connections.TestRefused) as caught:
        change_config(caller=alice.caller, id=config.pk, api_key=WRONG, name="Renamed")
    assert (caught.value.code, caught.value.attr) == ("authentication_failed", "api_key")
    assert "The present key (…aaaa) stays in use" in caught.value.detail
    config.refresh_from_db()
    assert (config.name, config.status, config.secret_version, key_of(config)) == ("Anthropic", "valid", 1, KEY)
    assert not RetiredKey.objects.exists()
    [refused] = events("config.rotated")
    assert (refused.outcome, refused.details) == ("refused", {"check": "authentication_failed"})


def test_it_is_saved_all_the_same_when_that_is_asked_for(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor)
    changed = change_config(caller=alice.caller, id=config.pk, validate=False, api_key=WRONG)
    assert (changed.status, key_of(changed)) == ("untested", WRONG)
    assert vendor.requests == []


@pytest.mark.parametrize("failure", [Failure(500), Failure(529), Failure(429)])
def test_what_says_nothing_of_the_key_does_not_keep_it_out(alice: Person, vendor: FakeVendor, failure: Failure) -> None:
    vendor.listing = failure
    changed = change_config(caller=alice.caller, id=make(alice, vendor).pk, api_key=NEXT)
    assert (changed.status, key_of(changed)) == ("untested", NEXT)
    assert changed.status_detail


def test_a_server_that_does_not_answer_in_time_does_not_keep_it_out(
    alice: Person, vendor: FakeVendor, settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    settings.KEY_CHECK_S = 0.1
    monkeypatch.setattr("llmconfig.providers.anthropic.AnthropicProvider.check", hang)
    config = make(alice, vendor)
    changed = change_config(caller=alice.caller, id=config.pk, api_key=NEXT)
    assert (changed.status, key_of(changed)) == ("untested", NEXT)
    with pytest.raises(connections.TestRefused) as caught:
        change_config(caller=alice.caller, id=config.pk, validate=True, api_key=KEY)
    assert (caught.value.code, key_of(config)) == ("timeout", NEXT)


@pytest.mark.parametrize("status", ["untested", "invalid", "quota_exhausted"])
def test_where_nothing_works_there_is_nothing_to_protect(alice: Person, vendor: FakeVendor, status: str) -> None:
    config = make(alice, vendor)
    UserLLMConfig.objects.update(status=status)
    assert change_config(caller=alice.caller, id=config.pk, api_key=WRONG).status == "untested"
    assert vendor.requests == []


def test_nobody_is_asked_within_a_transaction(alice: Person, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmconfig.services import rotation

    seen, ask, depth = [], rotation.ask, len(database.savepoint_ids)

    def watched(*args: Any, **more: Any) -> Any:
        seen.append(len(database.savepoint_ids) - depth)
        return ask(*args, **more)

    monkeypatch.setattr(rotation, "ask", watched)
    change_config(caller=alice.caller, id=make(alice, vendor).pk, api_key=NEXT)
    assert seen == [0]


def test_what_changed_while_the_key_was_tried_is_not_overwritten(
    alice: Person, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key was tried at one server and would be saved for another."""
    from llmconfig.services import rotation

    config, ask = make(alice, vendor), rotation.ask

    def moved(*args: Any, **more: Any) -> Any:
        update_config(caller=alice.caller, id=config.pk, base_url="https://gateway.example.com")
        return ask(*args, **more)

    monkeypatch.setattr(rotation, "ask", moved)
    with pytest.raises(Conflict) as caught:
        change_config(caller=alice.caller, id=config.pk, api_key=NEXT)
    assert (caught.value.code, bool(fresh(config).api_key)) == ("changed_meanwhile", False)


def test_the_old_key_is_kept_sealed_and_takes_over_again(alice: Person) -> None:
    config = make(alice)
    update_config(caller=alice.caller, id=config.pk, api_key=NEXT)
    [kept] = services.retired_keys(config)
    assert (kept.api_key_hint, kept.secret_version) == ("…aaaa", 1)
    assert kept.shred_at - kept.retired_at == timedelta(days=1)
    restored = restore_key(caller=alice.caller, id=config.pk)
    assert (key_of(config), restored.api_key_hint, restored.status, restored.secret_version) == (KEY, "…aaaa", "untested", 3)
    assert restored.api_key_fingerprint == kept.api_key_fingerprint
    assert [key.api_key_hint for key in services.retired_keys(config)] == ["…bbbb"]
    restore_key(caller=alice.caller, id=config.pk)
    assert key_of(config) == NEXT
    assert [event.details["hint"] for event in events("config.restored")] == [["…bbbb", "…aaaa"], ["…aaaa", "…bbbb"]]


def test_promise_1_a_kept_key_opens_in_no_other_row(alice: Person) -> None:
    from llmconfig.tenancy.keys import open_for
    from llmconfig.vault import Unreadable

    config = make(alice)
    update_config(caller=alice.caller, id=config.pk, api_key=NEXT)
    kept = RetiredKey.objects.get()
    assert open_for(kept, "api_key") == KEY
    config.api_key = kept.api_key
    with pytest.raises(Unreadable):
        open_for(config, "api_key")


def test_the_same_key_again_leaves_no_copy(alice: Person) -> None:
    config = make(alice)
    update_config(caller=alice.caller, id=config.pk, api_key=KEY)
    assert not RetiredKey.objects.exists()


def test_without_a_grace_nothing_is_kept(alice: Person, settings: SettingsWrapper) -> None:
    settings.KEY_GRACE_S = 0
    config = make(alice)
    update_config(caller=alice.caller, id=config.pk, api_key=NEXT)
    assert not RetiredKey.objects.exists()
    with pytest.raises(Conflict) as caught:
        restore_key(caller=alice.caller, id=config.pk)
    assert caught.value.code == "no_retired_key"


def test_after_the_grace_the_old_key_is_gone(alice: Person, mallory: Person) -> None:
    config, other = make(alice), make(mallory)
    for each, who in ((config, alice), (other, mallory)):
        update_config(caller=who.caller, id=each.pk, api_key=NEXT)
    assert shred_what_is_due() == 0
    RetiredKey.objects.filter(config=config).update(shred_at=timezone.now())
    with pytest.raises(Conflict):
        restore_key(caller=alice.caller, id=config.pk)
    assert (shred_what_is_due(), shred_what_is_due()) == (1, 0)
    assert [key.config for key in RetiredKey.objects.all()] == [other]
    [shredded] = events("config.shredded")
    assert (shredded.actor, shredded.object_id, shredded.details) == ("system", str(config.pk), {"keys": 1, "why": "grace over"})


def test_the_old_key_can_be_destroyed_at_once(alice: Person) -> None:
    config = make(alice)
    update_config(caller=alice.caller, id=config.pk, api_key=NEXT)
    assert (shred_retired_keys(caller=alice.caller, id=config.pk), shred_retired_keys(caller=alice.caller, id=config.pk)) == (1, 0)
    assert [event.details["why"] for event in events("config.shredded")] == ["asked for"]


def test_only_who_may_change_a_config_brings_keys_back(alice: Person, bob: Person, mallory: Person) -> None:
    config = make(alice, shared=True)
    update_config(caller=alice.caller, id=config.pk, api_key=NEXT)
    for verb in (restore_key, shred_retired_keys):
        with pytest.raises(Forbidden):
            verb(caller=bob.caller, id=config.pk)
        with pytest.raises(UserLLMConfig.DoesNotExist):
            verb(caller=mallory.caller, id=config.pk)
    assert key_of(config) == NEXT


def test_promise_8_no_copy_of_a_key_comes_along_to_another_host(alice: Person) -> None:
    config = make(alice)
    update_config(caller=alice.caller, id=config.pk, api_key=NEXT)
    update_config(caller=alice.caller, id=config.pk, base_url="https://gateway.example.com")
    assert not RetiredKey.objects.exists()
    update_config(caller=alice.caller, id=config.pk, api_key=WRONG)
    with pytest.raises(Conflict) as caught:
        restore_key(caller=alice.caller, id=config.pk)
    assert caught.value.code == "no_retired_key"
    assert [event.details for event in events("config.cleared")] == [{"hint": "…bbbb", "why": "another host"}]


def test_promise_8_a_kept_key_knows_where_it_belongs(alice: Person) -> None:
    """Whatever else failed: it goes back to the servers it was for, or nowhere."""
    config = make(alice)
    update_config(caller=alice.caller, id=config.pk, api_key=NEXT)
    UserLLMConfig.objects.update(base_url="https://gateway.example.com")
    with pytest.raises(Conflict) as caught:
        restore_key(caller=alice.caller, id=config.pk)
    assert (caught.value.code, key_of(config)) == ("moved", NEXT)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("https://bücher.example/v1", "https://xn--bcher-kva.example/v1", True),
        ("https://BÜCHER.example", "https://bücher.example:443/other", True),
        ("https://llm.example", "https://llm.example./v1", True),
        ("http://llm.example:80", "http://LLM.example/v1?x=1", True),
        ("https://straße.example", "https://strasse.example", False),
        ("https://llm.example", "http://llm.example", False),
        ("https://llm.example", "https://llm.example:8443", False),
        ("https://llm.example", "https://llm.example.evil.example", False),
        ("https://xn--bcher-kva.example", "https://bucher.example", False),
    ],
)
def test_promise_8_spellings_of_one_origin(alice: Person, before: str, after: str, same: bool) -> None:
    config = make(alice, base_url=before)
    assert bool(update_config(caller=alice.caller, id=config.pk, base_url=after).api_key) is same


def test_promise_8_back_to_the_providers_own_address_is_a_move_too(alice: Person) -> None:
    config = make(alice, base_url="https://gateway.example.com")
    assert update_config(caller=alice.caller, id=config.pk, base_url="").status == "missing_key"


def test_another_owner_gets_no_copy(alice: Person) -> None:
    config = make(alice)
    update_config(caller=alice.caller, id=config.pk, api_key=NEXT)
    shared = update_config(caller=alice.caller, id=config.pk, shared=True)
    assert (shared.secret_version, key_of(config), RetiredKey.objects.count()) == (3, NEXT, 0)
    assert [event.action for event in events("config.shared", "config.shredded")] == ["config.shredded", "config.shared"]


def test_a_key_that_cannot_be_opened_is_replaced_without_a_copy(alice: Person) -> None:
    config = make(alice)
    DataKey.objects.all().delete()
    changed = change_config(caller=alice.caller, id=config.pk, validate=False, api_key=NEXT)
    assert (changed.status, key_of(changed), RetiredKey.objects.count()) == ("untested", NEXT, 0)


def test_validate_refuses_any_change_that_does_not_work(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor)
    with pytest.raises(connections.TestRefused) as caught:
        change_config(caller=alice.caller, id=config.pk, validate=True, model="claude-of-tomorrow")
    assert (caught.value.code, caught.value.attr) == ("model_not_found", None)
    assert [event.details["purpose"] for event in events("config.revealed")] == ["check"]
    with pytest.raises(connections.TestRefused) as caught:
        change_config(caller=alice.caller, id=config.pk, validate=True, base_url="https://gateway.example.com")
    assert caught.value.code == "missing_key"
    assert change_config(caller=alice.caller, id=config.pk, validate=True, model=vendor.models[0]).status == "valid"


def test_a_bad_change_is_refused_before_anybody_is_asked(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor)
    with pytest.raises(Invalid) as caught:
        change_config(caller=alice.caller, id=config.pk, api_key=Secret("two words"))
    assert (caught.value.attr, vendor.requests) == ("api_key", [])


def test_the_events_of_a_config(alice: Person) -> None:
    config = make(alice)
    for fields in (
        {"name": "Renamed", "base_url": "https://api.anthropic.com/v1", "model": "m"},
        {"name": "Renamed"},
        {"is_enabled": False},
        {"is_enabled": True, "is_default": True},
        {"api_key": NEXT},
    ):
        update_config(caller=alice.caller, id=config.pk, **fields)
    services.delete_config(caller=alice.caller, id=config.pk)
    seen = list(AuditEvent.objects.order_by("seq").values_list("action", "actor", "object_id"))
    actions = ["created", "changed", "disabled", "enabled", "default_changed", "rotated", "deleted"]
    assert seen == [(f"config.{action}", "alice", str(config.pk)) for action in actions]
    [changed] = events("config.changed")
    assert changed.details == {
        "fields": ["name", "base_url", "model"],
        "base_url": ["", "https://api.anthropic.com/v1"],
        "model": ["", "m"],
    }
    written = str([event.content() for event in AuditEvent.objects.all()])
    assert not [key for key in (KEY, NEXT) if key.reveal() in written]


def test_a_run_opens_the_key_with_an_event_and_a_keyless_one_without(alice: Person) -> None:
    config = make(alice)
    reveal_for_run(config, "m", actor=SYSTEM, worker="w1")
    [revealed] = events("config.revealed")
    assert revealed.details == {"purpose": "run", "provider": "anthropic", "hint": "…aaaa", "worker": "w1"}
    keyless = create_config(caller=alice.caller, provider_type="openai_compatible", base_url="https://one.example.com/v1")
    reveal_for_run(keyless, "m", actor=SYSTEM)
    assert len(events("config.revealed")) == 1


@pytest.mark.parametrize(("key", "hint"), [("k" * 11, ""), ("k" * 8 + "wxyz", "…wxyz")])
def test_promise_5_of_a_short_key_nothing_is_shown(alice: Person, key: str, hint: str) -> None:
    config = create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret(key))
    assert config.api_key_hint == hint
    assert bool(config.api_key_fingerprint) is bool(hint)
    shown = alice.client().get(f"/api/user/llm-config/{config.pk}").json()
    assert (shown["api_key_hint"], bool(shown["api_key_fingerprint"])) == (hint, bool(hint))


def test_promise_5_a_key_that_is_saved_twice_is_told_without_whose(alice: Person, bob: Person, mallory: Person) -> None:
    make(bob, name="Bob's")
    make(mallory)
    one, two = make(alice, name="One"), make(alice, name="Two")
    shown = alice.client().get(f"/api/user/llm-config/{one.pk}").json()
    assert (shown["same_key_as"], shown["same_key_elsewhere"]) == ([{"id": str(two.pk), "name": "Two"}], True)
    other = create_config(caller=alice.caller, provider_type="anthropic", api_key=NEXT)
    shown = alice.client().get(f"/api/user/llm-config/{other.pk}").json()
    assert (shown["same_key_as"], shown["same_key_elsewhere"]) == ([], False)
