"""People, for every test of agent that needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper

    from tests.agent.mcp.conftest import Demo
    from tests.llmconfig.people import Person


@pytest.fixture
def alice(db: None, settings: SettingsWrapper) -> Person:
    """Owner of an organization that has the demo provider."""
    from tests.llmconfig.people import person

    settings.DEMO = True
    return person("alice")


@pytest.fixture
def bob(alice: Person) -> Person:
    """A member of Alice's organization."""
    from tests.llmconfig.people import person

    return person("bob", alice.organization)


@pytest.fixture
def mallory(db: None) -> Person:
    from tests.llmconfig.people import person

    return person("mallory")


@pytest.fixture(scope="session")
def demo_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The real demo service, in a process of its own."""
    from tests.agent.mcp.conftest import demo_at

    with demo_at(tmp_path_factory.mktemp("demo") / "demo.sqlite3") as running:
        yield running


@pytest.fixture
def demo_url(demo_service: Demo, settings: SettingsWrapper) -> str:
    """Its address, which the operator has allowed and named."""
    settings.PRIVATE_HOSTS = ["127.0.0.1:*"]
    settings.DEMO_SERVICE_URL = demo_service.url
    return demo_service.url
