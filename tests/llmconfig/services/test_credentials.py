"""Providers that need more than a key: other secrets are sealed as one, what is no secret lies in the options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmconfig import registry, services
from llmconfig.llm import CredentialField, Secret
from llmconfig.models import UserLLMConfig
from llmconfig.providers.demo import DemoProvider
from llmconfig.tenancy.errors import Invalid
from llmconfig.tenancy.keys import open_for

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

pytestmark = pytest.mark.django_db
ID, SECRET, NEXT = Secret("client-id-0123456789"), Secret("client-secret-canary"), Secret("client-secret-second")


class CloudProvider(DemoProvider):
    """A vendor that is signed in to with a client's id and secret."""

    slug = "cloud"
    label = "Cloud"
    is_demo = False
    default_base_url = "https://cloud.example.com"
    fields = (
        CredentialField("client_id", "Client id", required=True, write_only=True),
        CredentialField("client_secret", "Client secret", required=True, write_only=True),
        CredentialField("region", "Region", required=True),
        CredentialField("api_version", "API version", default="2026-01-01"),
        CredentialField("token_url", "Token URL", type="url"),
    )
    options = ()


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.provider_class
    monkeypatch.setattr(registry, "provider_class", lambda slug: CloudProvider if slug == "cloud" else real(slug))


def make(alice: Person, **changed: object) -> UserLLMConfig:
    fields = {"credentials": {"client_id": ID, "client_secret": SECRET}, "options": {"region": "eu"}}
    return services.create_config(caller=alice.caller, **{"provider_type": "cloud", **fields, **changed})


def test_all_are_opened_together(alice: Person) -> None:
    opened = services.open_credentials(make(alice))
    assert opened.secrets == {"client_id": ID, "client_secret": SECRET}
    assert opened.options == {"region": "eu", "api_version": "2026-01-01"}
    assert opened.base_url == "https://cloud.example.com"


def test_one_can_be_changed_alone(alice: Person) -> None:
    config = make(alice)
    changed = services.update_config(caller=alice.caller, id=config.pk, credentials={"client_secret": NEXT, "client_id": Secret("")})
    assert services.open_credentials(changed).secrets == {"client_id": ID, "client_secret": NEXT}
    assert changed.secret_version == 2


def test_they_are_sealed_and_resealed_when_shared(alice: Person) -> None:
    config = make(alice)
    assert "canary" not in str(UserLLMConfig.objects.values())
    before = config.credentials.text
    shared = services.update_config(caller=alice.caller, id=config.pk, shared=True)
    assert shared.credentials.text != before
    assert "canary" in open_for(shared, "credentials").reveal()


def test_options_are_split_for_a_run(alice: Person) -> None:
    deployment = services.deployment_for_run(make(alice), "m")
    assert deployment.settings["region"] == "eu"
    assert deployment.options == {}
    assert "canary" not in repr(deployment)


@pytest.mark.parametrize(
    ("fields", "code", "attr"),
    [
        ({"credentials": {"client_id": ID}}, "required", "credentials.client_secret"),
        ({"options": {}}, "required", "options.region"),
        ({"options": {"region": "eu", "client_secret": "canary"}}, "unknown_field", "options.client_secret"),
        ({"options": {"region": "eu", "token_url": "http://169.254.169.254/"}}, "forbidden_url", "options.token_url"),
        ({"api_key": Secret("sk-0123456789ab")}, "unknown_field", "api_key"),
    ],
)
def test_what_is_refused(alice: Person, fields: dict[str, object], code: str, attr: str) -> None:
    with pytest.raises(Invalid) as caught:
        make(alice, **fields)
    assert (caught.value.code, caught.value.attr) == (code, attr)


def test_a_change_may_not_drop_what_is_required(alice: Person) -> None:
    with pytest.raises(Invalid) as caught:
        services.update_config(caller=alice.caller, id=make(alice).pk, options={"api_version": "2026-02-01"})
    assert caught.value.attr == "options.region"


def test_a_vanished_provider_is_shown_and_used_no_more(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make(alice, model="m")
    monkeypatch.undo()
    client = alice.client()
    assert client.get(f"/api/user/llm-config/{config.pk}").json()["base_url"] == ""
    assert client.get("/api/models").json()["results"] == []
    assert client.post("/api/user/llm-config/test", {"id": str(config.pk)}).status_code == 400
    assert client.delete(f"/api/user/llm-config/{config.pk}").status_code == 204
