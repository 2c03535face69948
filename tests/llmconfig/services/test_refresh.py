"""Lists of models: fetched anew when they are old or a person asks, kept when that fails, and what happens to a model that left them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from llmconfig import services, tasks
from llmconfig.llm import ModelInfo, Secret
from llmconfig.models import ModelList, UserLLMConfig
from llmconfig.services import connection, model_lists

if TYPE_CHECKING:
    from tests.fakes.server import FakeVendor
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
KEY = Secret("sk-ant-right-key-0123")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The ids that each message to a worker carried, in place of a broker."""
    messages: list[list[str]] = []

    class Celery:
        def send_task(self, name: str, arguments: tuple[list[str]], **options: Any) -> None:
            assert name == tasks.refresh_model_lists.name
            messages.append(arguments[0])

    monkeypatch.setattr(model_lists, "import_string", lambda path: Celery())
    monkeypatch.setattr(model_lists.transaction, "on_commit", lambda call: call())
    return messages


def make(who: Person, vendor: FakeVendor, **fields: object) -> UserLLMConfig:
    return services.create_config(
        caller=who.caller, **{"provider_type": "anthropic", "api_key": KEY, "base_url": vendor.base_url, **fields}
    )


def aged(config: UserLLMConfig, **age: float) -> None:
    ModelList.objects.filter(config=config).update(fetched_at=timezone.now() - timedelta(**age))


def names(who: Person) -> list[str]:
    return [row["model"] for row in services.models_for(who.caller)]


def test_an_old_list_answers_at_once_and_one_worker_is_asked_once(alice: Person, vendor: FakeVendor, sent: list[list[str]]) -> None:
    config = make(alice, vendor)
    services.test_config(caller=alice.caller, id=config.pk)
    assert names(alice) == vendor.models
    assert sent == []
    aged(config, hours=25)
    for _ in range(3):
        assert names(alice) == vendor.models
    assert sent == [[str(config.pk)]]
    UserLLMConfig.objects.update(models_asked_at=timezone.now() - model_lists.ASKED_AGAIN_AFTER)
    names(alice)
    assert len(sent) == 2


def test_two_requests_at_once_ask_once(alice: Person, vendor: FakeVendor, sent: list[list[str]]) -> None:
    make(alice, vendor)
    seen = [list(UserLLMConfig.objects.select_related("model_list")) for _ in range(2)]  # both read before either wrote
    for configs in seen:
        model_lists.ask_for_refresh(configs)
    assert len(sent) == 1


def test_which_lists_are_worth_asking_for(alice: Person, vendor: FakeVendor, sent: list[list[str]], settings) -> None:
    settings.DEMO = True
    untested = make(alice, vendor)
    make(alice, vendor, is_enabled=False)
    refused = make(alice, vendor)
    UserLLMConfig.objects.filter(pk=refused.pk).update(status="invalid")
    settings.MODELS_REFRESH_S = 0
    names(alice)
    assert sent == []
    settings.MODELS_REFRESH_S = 3600
    names(alice)
    assert sent == [[str(untested.pk)]]


def test_without_a_broker_the_stored_list_serves(alice: Person, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    config = make(alice, vendor, model="m")

    def away(path: str) -> Any:
        raise ConnectionError("refused")

    monkeypatch.setattr(model_lists, "import_string", away)
    monkeypatch.setattr(model_lists.transaction, "on_commit", lambda call: call())
    assert names(alice) == ["m"]
    assert "broker could not be told" in caplog.text
    config.refresh_from_db()
    assert config.models_asked_at is not None


def test_the_worker_stores_what_is_listed_now(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor)
    unreachable = services.create_config(caller=alice.caller, provider_type="anthropic", api_key=KEY, base_url=vendor.base_url)
    UserLLMConfig.objects.filter(pk=unreachable.pk).update(base_url="http://127.0.0.1:1")
    tasks.refresh_model_lists([str(config.pk), str(unreachable.pk)])
    assert [entry["id"] for entry in ModelList.objects.get().entries] == vendor.models
    config.refresh_from_db()
    assert config.status == "untested"  # a list is no test


def test_a_model_that_left_the_list_stays_usable_with_a_hint(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor)
    services.refresh_models(caller=alice.caller, id=config.pk)
    first, *rest = list(vendor.models)
    vendor.models[:] = [*rest, "a-new-one"]
    refreshed = services.refresh_models(caller=alice.caller, id=config.pk)
    assert refreshed.models == len(rest) + 1
    rows = services.models_for(alice.caller)
    assert [row["model"] for row in rows] == [*rest, "a-new-one", first]
    assert [bool(row["hint"]) for row in rows] == [False] * len(vendor.models) + [True]
    assert str(timezone.now().year) in str(rows[-1]["hint"])
    assert services.resolve_target(alice.caller, f"{config.pk}/{first}") == (config, first)
    assert services.model_of(UserLLMConfig.objects.get(pk=config.pk)) == rest[0]
    services.refresh_models(caller=alice.caller, id=config.pk)
    assert len(names(alice)) == len(vendor.models) + 1  # once gone, gone once
    stored = ModelList.objects.get()
    stored.entries[-1]["gone_since"] = (timezone.now() - model_lists.GONE_AFTER).isoformat()
    stored.save()
    services.refresh_models(caller=alice.caller, id=config.pk)
    assert names(alice) == vendor.models
    vendor.models.append(first)
    services.refresh_models(caller=alice.caller, id=config.pk)
    assert [row["hint"] for row in services.models_for(alice.caller)] == [None] * len(vendor.models)


def test_the_models_of_another_server_are_not_the_gone_of_this_one(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor)
    entry = {"id": "elsewhere", "label": "", "context_window": None, "max_output_tokens": None}
    ModelList.objects.create(
        config=config, organization=config.organization, entries=[entry], fetched_at=timezone.now(), base_url="https://elsewhere.example"
    )
    services.refresh_models(caller=alice.caller, id=config.pk)
    assert names(alice) == vendor.models


def test_a_named_model_that_the_list_leaves_out(alice: Person, vendor: FakeVendor) -> None:
    """An alias is looked up by its name; one that is not there either is shown with a hint."""
    config = make(alice, vendor, model="no-such-model")
    assert services.refresh_models(caller=alice.caller, id=config.pk).result.ok
    [named, *_] = services.models_for(alice.caller)
    assert named["model"] == "no-such-model"
    assert named["hint"]


def test_in_the_background_no_model_is_looked_up(alice: Person, vendor: FakeVendor) -> None:
    """With some vendors a look-up takes an answer. One that was looked up stays; one that was listed, and is no more, has gone."""
    vendor.aliases["claude-latest"] = vendor.models[0]
    alias, listed = make(alice, vendor, model="claude-latest"), make(alice, vendor, model=vendor.models[0])
    for config in (alias, listed):
        assert services.test_config(caller=alice.caller, id=config.pk).ok
    asked = len(vendor.requests)
    gone = vendor.models.pop(0)
    tasks.refresh_model_lists([str(alias.pk), str(listed.pk)])
    assert [request.path.partition("?")[0] for request in vendor.requests[asked:]] == ["/v1/models"] * 2
    hints = {(row["config"], row["model"]): row["hint"] for row in services.models_for(alice.caller)}
    assert hints[str(alias.pk), "claude-latest"] is None
    assert hints[str(listed.pk), gone] is not None


def test_what_goes_wrong_keeps_the_old_list(alice: Person, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make(alice, vendor)
    services.refresh_models(caller=alice.caller, id=config.pk)
    before = ModelList.objects.get().fetched_at
    UserLLMConfig.objects.update(status="valid")
    services.update_config(caller=alice.caller, id=config.pk, api_key=Secret("sk-ant-wrong-key-0123"))
    refreshed = services.refresh_models(caller=alice.caller, id=config.pk)
    assert (refreshed.result.error_kind, refreshed.fetched_at, refreshed.models) == ("authentication_failed", before, len(vendor.models))
    assert names(alice) == vendor.models


def test_a_key_rotated_meanwhile_was_not_the_one_asked_with(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor)
    UserLLMConfig.objects.update(secret_version=7)
    assert model_lists.store_list(config, []) is False
    services.delete_config(caller=alice.caller, id=config.pk)
    assert model_lists.store_list(config, []) is False
    assert not ModelList.objects.exists()


def test_a_config_without_a_key_is_not_asked(alice: Person, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make(alice, vendor)
    UserLLMConfig.objects.update(api_key="")

    def never(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(connection, "build_provider", never)
    assert services.refresh_models(caller=alice.caller, id=config.pk).result.error_kind == "missing_key"
    tasks.refresh_model_lists([str(config.pk)])
    assert not ModelList.objects.exists()


def test_nobody_elses_config(alice: Person, mallory: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor, shared=True)
    with pytest.raises(UserLLMConfig.DoesNotExist):
        services.refresh_models(caller=mallory.caller, id=config.pk)


def test_an_endless_list_is_kept_up_to_a_bound_with_the_model_that_was_looked_up(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor)
    for round in ("a", "b"):
        listed = [ModelInfo(f"{round}-{number}", "x" * 10_000, 10**400) for number in range(2 * model_lists.MAX_MODELS)]
        assert model_lists.store_list(config, [*listed, ModelInfo("named")])
    [row] = ModelList.objects.filter(config=config)
    ids = [entry["id"] for entry in row.entries]
    assert len(set(ids)) == len(ids) == model_lists.MAX_MODELS
    assert ids[0] == "b-0"
    assert ids[-1] == "named"
    assert row.entries[0]["label"] == "x" * 200
    assert row.entries[0]["context_window"] is None


def test_models_that_have_gone_leave_room_for_those_that_are_there(alice: Person, vendor: FakeVendor) -> None:
    config = make(alice, vendor)
    for round in range(3):
        model_lists.store_list(config, [ModelInfo(f"{round}-{number}") for number in range(model_lists.MAX_MODELS // 2)])
    [row] = ModelList.objects.filter(config=config)
    assert len(row.entries) == model_lists.MAX_MODELS
    assert row.entries[0]["id"] == "2-0"
    assert sum("gone_since" in entry for entry in row.entries) == model_lists.MAX_MODELS // 2
