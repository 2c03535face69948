"""From a config to a client: what a run takes along to another thread, and the factory that builds providers from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from llmconfig.llm import Timeouts
from llmconfig.models import ConfigStatus, UserLLMConfig
from llmconfig.services import policy
from llmconfig.services.facts import ModelFacts, facts_of
from llmconfig.services.fields import connection_fields, egress_policy, provider_of
from llmconfig.services.secrets import lacks, open_credentials
from llmconfig.tenancy.errors import Conflict, Invalid
from llmconfig.vault import Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from llmconfig.llm import Credentials, Provider


@dataclass(frozen=True)
class Deployment:
    """Config and model as plain values, credentials opened; holds no ORM object. options: for `ModelRequest.options`."""

    config: UUID
    secret_version: int
    provider: str
    model: str
    credentials: Credentials
    options: Mapping[str, Any]
    facts: ModelFacts

    @property
    def client_key(self) -> tuple[str, int, str, str]:
        """Two deployments with equal keys may use one client."""
        return str(self.config), self.secret_version, self.credentials.base_url, repr(sorted(self.credentials.options.items()))


def deployment_for_run(config: UserLLMConfig, model: str) -> Deployment:
    """Opens the credentials; the caller has checked that the run's owner may use the config.

    Raises `Conflict` with a code: `config_disabled`, `policy_forbidden`, `missing_key`, `unreadable`.
    """
    if not config.is_enabled:
        raise Conflict(f"The config “{config.name}” is disabled. Enable it or choose another model.", code="config_disabled")
    try:
        provider = provider_of(config.provider_type)
    except Invalid as error:
        raise Conflict(error.detail, code="config_disabled") from None
    policy.check_use(config, model)
    if config.status == ConfigStatus.MISSING_KEY or lacks(config, provider):
        raise Conflict(f"The config “{config.name}” has no key. Enter one under Settings, Providers.", code="missing_key")
    connection = {field.name for field in connection_fields(provider)}
    return Deployment(
        config=config.pk,
        secret_version=config.secret_version,
        provider=provider.slug,
        model=model,
        credentials=_opened(config),
        options={name: value for name, value in config.options.items() if name not in connection},
        facts=facts_of(config, model, at=timezone.now()),
    )


def preload_provider(slug: str) -> None:
    """Import the provider's SDK: slow once, never on an event loop."""
    provider_of(slug).preload()


def build_provider(slug: str, credentials: Credentials) -> Provider:
    """A client, to be closed by whoever asked. Call it on the event loop that will use it, after `preload_provider`."""
    timeouts = Timeouts(connect=settings.CONNECT_TIMEOUT_S, first_token=settings.FIRST_TOKEN_TIMEOUT_S, idle=settings.IDLE_TIMEOUT_S)
    factory: Any = provider_of(slug)
    built: Provider = factory(credentials, egress=egress_policy(), timeouts=timeouts)
    return built


def _opened(config: UserLLMConfig) -> Credentials:
    try:
        return open_credentials(config)
    except Unreadable:
        UserLLMConfig.objects.filter(pk=config.pk).update(status=ConfigStatus.UNREADABLE, status_detail=UNREADABLE)
        raise Conflict(f"The key of “{config.name}” cannot be opened. {UNREADABLE}", code="unreadable") from None


UNREADABLE = "It was sealed under another KEK. Restore that KEK, or enter the key again."
