"""How a config was used: counted in memory, written now and then, lost by nothing but the end of the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.db import DatabaseError

from llmconfig.llm import Secret
from llmconfig.models import User, UserLLMConfig
from llmconfig.services import create_config, note_outcome
from llmconfig.services.uses import Uses

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def config(alice: Person) -> UserLLMConfig:
    return create_config(caller=alice.caller, provider_type="anthropic", api_key=Secret("sk-ant-first-0123-aaaa"))


def test_uses_are_written_once_a_minute(config: UserLLMConfig, alice: Person, bob: Person, django_assert_num_queries: Any) -> None:
    uses = Uses()
    with django_assert_num_queries(0):
        uses.note(config.pk, alice.user.pk)
        uses.note(config.pk, bob.user.pk)
    assert uses.are_due()
    with django_assert_num_queries(1):
        assert uses.write() == 1
    config.refresh_from_db()
    assert (config.uses, config.last_used_by) == (2, bob.user)
    uses.note(config.pk, alice.user.pk)
    assert not uses.are_due()
    with django_assert_num_queries(0):
        assert uses.write() == 0
    assert uses.write(at_once=True) == 1
    config.refresh_from_db()
    assert (config.uses, config.last_used_by) == (3, alice.user)


def test_who_is_gone_is_not_named_and_a_config_that_is_gone_is_no_matter(config: UserLLMConfig, bob: Person) -> None:
    uses = Uses()
    uses.note(config.pk, bob.user.pk)
    uses.note(uuid4(), bob.user.pk)
    User.objects.filter(pk=bob.user.pk).delete()
    assert uses.write() == 2
    config.refresh_from_db()
    assert (config.uses, config.last_used_by) == (1, None)
    assert config.last_used_at is not None


def test_what_could_not_be_written_is_written_later(config: UserLLMConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    uses = Uses()
    uses.note(config.pk, None)

    def away(*_: Any, **__: Any) -> None:
        raise DatabaseError("away")

    with monkeypatch.context() as broken:
        broken.setattr("django.db.models.query.QuerySet.update", away)
        with pytest.raises(DatabaseError):
            uses.write()
    uses.note(config.pk, None)
    assert uses.write() == 1
    config.refresh_from_db()
    assert config.uses == 2


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("authentication_failed", "invalid"),
        ("permission_denied", "invalid"),
        ("quota_exhausted", "quota_exhausted"),
        ("rate_limited", "untested"),
        ("timeout", "untested"),
        ("model_not_found", "untested"),
        ("", "valid"),
    ],
)
def test_what_a_request_says_of_the_key(config: UserLLMConfig, kind: str, status: str) -> None:
    note_outcome(config=config.pk, secret_version=1, error_kind=kind, detail="It said no.")
    config.refresh_from_db()
    assert (config.status, config.status_detail) == (status, "It said no." if status in ("invalid", "quota_exhausted") else "")


def test_only_a_change_is_written_and_only_of_the_key_that_was_used(config: UserLLMConfig) -> None:
    assert note_outcome(config=config.pk, secret_version=1, error_kind="authentication_failed", detail="no")
    assert not note_outcome(config=config.pk, secret_version=1, error_kind="authentication_failed", detail="no again")
    assert not note_outcome(config=config.pk, secret_version=0)
    assert note_outcome(config=config.pk, secret_version=1)
    assert not note_outcome(config=config.pk, secret_version=1)
    config.refresh_from_db()
    assert (config.status, config.status_detail) == ("valid", "")
