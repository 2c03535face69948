"""Every place where an address of somebody's choice comes in, as a function that puts it there. A new one is one line in `SINKS`."""

from __future__ import annotations

import asyncio
import json
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from agent.mcp.client import Endpoint, ServiceSession
from agent.mcp.errors import ServiceError
from agent.models import Service
from llmconfig.llm import Credentials, Message, ModelRequest, ProviderError, Secret, Text
from llmconfig.models import UserLLMConfig
from llmconfig.net import EgressPolicy
from llmconfig.services.clients import build_provider, preload_provider
from llmconfig.services.configs import create_config
from tests.agent.rows import service_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.test import APIClient

    from tests.llmconfig.people import Person

KEY = "sk-alice-0123456789abcdefghij"
CONFIGS, TEST, SERVICES = "/api/user/llm-config", "/api/user/llm-config/test", "/api/user/services"


class Attack:
    """Alice, who may do everything in her organization, and so may point her own things anywhere."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.client: APIClient = person.client()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """What was answered; a server error is a finding of its own."""
        answer = self.client.post(path, body)
        assert answer.status_code < 500, (path, body, answer.content)
        return answer.json()

    def config(self, **changes: Any) -> UserLLMConfig:
        """A saved config, with what nobody could have saved."""
        config = UserLLMConfig.objects.filter(organization=self.person.organization, provider_type="openai_compatible").first()
        if config is None:
            config = create_config(
                caller=self.person.caller, provider_type="openai_compatible", base_url="https://api.example.com", api_key=Secret(KEY)
            )
        UserLLMConfig.objects.filter(pk=config.pk).update(**changes)
        return config

    def service(self, **changes: Any) -> Service:
        service = Service.objects.filter(organization=self.person.organization, slug="mine").first() or service_of(self.person, slug="mine")
        Service.objects.filter(pk=service.pk).update(**changes)
        return service


def config_saved(attack: Attack, url: str) -> None:
    answer = attack.post(CONFIGS, {"name": "x", "provider_type": "openai_compatible", "base_url": url, "api_key": KEY})
    UserLLMConfig.objects.filter(pk=answer.get("id")).delete()


def config_saved_after_a_test(attack: Attack, url: str) -> None:
    answer = attack.post(
        f"{CONFIGS}?validate=true", {"name": "x", "provider_type": "openai_compatible", "base_url": url, "api_key": KEY, "model": "m"}
    )
    assert "id" not in answer


def config_moved(attack: Attack, url: str) -> None:
    config = attack.config()
    answer = attack.client.patch(f"{CONFIGS}/{config.pk}", {"base_url": url, "api_key": KEY})
    assert answer.status_code < 500


def config_tested_unsaved(attack: Attack, url: str) -> None:
    answer = attack.post(TEST, {"provider_type": "openai_compatible", "base_url": url, "api_key": KEY, "model": "m"})
    assert answer.get("ok") in (False, None)


def is_a_url(text: str) -> bool:
    """Whether a client could be told of it at all. No row holds any other: it would have been saved unchecked."""
    try:
        return bool(urlsplit(text).scheme and httpx2.URL(text).host)
    except (ValueError, httpx2.InvalidURL):
        return False


def stored(sink: Callable[[Attack, str], None]) -> Callable[[Attack, str], None]:
    """For sinks whose address comes from a row."""
    return lambda attack, url: sink(attack, url) if is_a_url(url) else None


def config_tested(attack: Attack, url: str) -> None:
    assert attack.post(TEST, {"id": str(attack.config(base_url=url).pk)})["ok"] is False


def models_refreshed(attack: Attack, url: str) -> None:
    answer = attack.post(f"{CONFIGS}/{attack.config(base_url=url).pk}/models/refresh", {})
    assert answer["ok"] is False


def entra_saved(attack: Attack, url: str) -> None:
    answer = attack.post(
        CONFIGS,
        {
            "name": "x",
            "provider_type": "azure_openai",
            "base_url": "https://acme.openai.azure.com",
            "credentials": {"client_secret": KEY},
            "options": {"tenant_id": "t", "client_id": "c", "authority": url},
        },
    )
    UserLLMConfig.objects.filter(pk=answer.get("id")).delete()


def entra_run(_: Attack, url: str) -> None:
    options = {"tenant_id": "t", "client_id": "c", "authority": url}
    _answer("azure_openai", Credentials("https://93.184.216.34", {"client_secret": Secret(KEY)}, options))


def vertex_token(attack: Attack, url: str) -> None:
    body = {"provider_type": "gemini", "credentials": {"service_account": service_account(url)}, "model": "gemini-3-flash-preview"}
    assert attack.post(TEST, body)["ok"] is False


def run(slug: str, _: Attack, url: str) -> None:
    _answer(slug, Credentials(url, {"api_key": Secret(KEY)}))


def service_saved(attack: Attack, url: str) -> None:
    answer = attack.post(SERVICES, {"display_name": "x", "transport": "streamable-http", "url": url, "auth_type": "bearer", "token": KEY})
    Service.objects.filter(pk=answer.get("id")).delete()


def service_tested(transport: str, attack: Attack, url: str) -> None:
    answer = attack.post(f"{SERVICES}/{attack.service(url=url, transport=transport).pk}/test", {})
    assert answer["ok"] is False


def service_called(transport: Any, _: Attack, url: str) -> None:
    asyncio.run(_called(Endpoint("k", url, transport, {"Authorization": Secret(f"Bearer {KEY}")})))


# One line for each place. OAuth's metadata, its token and its registration address will be three more.
SINKS: dict[str, Callable[[Attack, str], None]] = {
    "config: save": config_saved,
    "config: save after a test": config_saved_after_a_test,
    "config: move": config_moved,
    "config: test, unsaved": config_tested_unsaved,
    "config: test": stored(config_tested),
    "config: refresh models": stored(models_refreshed),
    "Entra ID: save": entra_saved,
    "Entra ID: run": stored(entra_run),
    "Vertex AI: token_uri": vertex_token,
    "run: openai_compatible": stored(partial(run, "openai_compatible")),
    "run: anthropic": stored(partial(run, "anthropic")),
    "run: gemini": stored(partial(run, "gemini")),
    "run: ollama": stored(partial(run, "ollama")),
    "run: azure_openai": stored(partial(run, "azure_openai")),
    "service: save": service_saved,
    "service: test": stored(partial(service_tested, "streamable-http")),
    "service: test, SSE": stored(partial(service_tested, "sse")),
    "service: call": stored(partial(service_called, "streamable-http")),
    "service: call, SSE": stored(partial(service_called, "sse")),
}


@cache
def _private_key() -> str:
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*form).decode()


def service_account(token_uri: str) -> str:
    row = {"type": "service_account", "project_id": "acme-123", "private_key_id": "kid", "private_key": _private_key()}
    return json.dumps({**row, "client_email": "agent@acme-123.iam.gserviceaccount.com", "token_uri": token_uri})


def _answer(slug: str, credentials: Credentials) -> None:
    preload_provider(slug)
    asyncio.run(_answered(slug, credentials))


async def _answered(slug: str, credentials: Credentials) -> None:
    try:
        provider = build_provider(slug, credentials)
    except ValueError:
        return  # no URL at all
    try:
        async for _ in provider.stream(ModelRequest("m", (Message("user", (Text("Hi"),)),))):
            raise AssertionError("somebody answered")
    except (ProviderError, ValueError):
        pass
    finally:
        await provider.aclose()


async def _called(endpoint: Endpoint) -> None:
    session = ServiceSession(endpoint, EgressPolicy())
    try:
        await session.call("echo", {}, timeout=5)
    except (ServiceError, ValueError):
        return
    finally:
        await session.aclose()
    raise AssertionError("somebody answered")
