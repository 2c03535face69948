"""Few connections are tested at once, whoever asks."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from django.conf import settings

from llmconfig import services
from llmconfig.llm import Secret
from llmconfig.tenancy.errors import Unavailable

if TYPE_CHECKING:
    from tests.llmconfig.people import Person


@pytest.fixture
def full() -> ExitStack:
    stack = ExitStack()
    for _ in range(settings.WEB_THREADS // 2):
        stack.enter_context(services.waiting_place())
    return stack


def test_one_more_is_told_to_come_back(full: ExitStack) -> None:
    with full, pytest.raises(Unavailable) as refused, services.waiting_place():
        pass
    assert refused.value.retry_after > 0
    with services.waiting_place():
        pass


def test_a_place_is_free_again_after_a_failure(full: ExitStack) -> None:
    with pytest.raises(ZeroDivisionError), full:
        raise ZeroDivisionError
    with services.waiting_place():
        pass


def test_one_person_takes_half_of_them_at_most() -> None:
    with ExitStack() as stack:
        for _ in range(settings.WEB_THREADS // 4):
            stack.enter_context(services.waiting_place("alice"))
        with pytest.raises(Unavailable, match="You are testing"), services.waiting_place("alice"):
            pass
        with services.waiting_place("bob"):
            pass
    with services.waiting_place("alice"):
        pass


def test_a_config_is_tested_in_a_place(full: ExitStack, alice: Person, settings) -> None:
    settings.PRIVATE_HOSTS = ["127.0.0.1:1"]
    fields = {"provider_type": "anthropic", "api_key": Secret("sk-ant-right-key-0123"), "base_url": "http://127.0.0.1:1"}
    with full, pytest.raises(Unavailable):
        services.test_unsaved_config(caller=alice.caller, **fields)
    assert services.test_unsaved_config(caller=alice.caller, **fields).error_kind == "provider_unavailable"
