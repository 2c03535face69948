"""People and fake vendors for every test of llmconfig that needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

    from tests.fakes.server import FakeVendor
    from tests.llmconfig.people import Person


@pytest.fixture
def alice(db: None) -> Person:
    from tests.llmconfig.people import person

    return person("alice")


@pytest.fixture
def bob(alice: Person) -> Person:
    from tests.llmconfig.people import person

    return person("bob", alice.organization)


@pytest.fixture
def mallory(db: None) -> Person:
    from tests.llmconfig.people import person

    return person("mallory")


@pytest.fixture
def vendor(settings: SettingsWrapper) -> Iterator[FakeVendor]:
    """An Anthropic of our own on loopback, which the operator has allowed."""
    from tests.fakes.anthropic import FakeAnthropic

    with FakeAnthropic() as fake:
        settings.PRIVATE_HOSTS = [fake.host]
        yield fake
