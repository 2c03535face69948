"""From a config to a client: what a run takes along to another thread, what opens it, and the factory that builds providers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from django.conf import settings
from django.utils import timezone

from llmconfig.llm import Timeouts
from llmconfig.models import ConfigStatus, UserLLMConfig
from llmconfig.services import policy
from llmconfig.services.facts import ModelFacts, facts_of
from llmconfig.services.fields import connection_fields, egress_policy, provider_of
from llmconfig.services.readable import is_readable
from llmconfig.services.reveal import reveal
from llmconfig.services.secrets import credentials_from, lacks
from llmconfig.tenancy.errors import Conflict, Invalid
from llmconfig.vault import Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from llmconfig.llm import Credentials, Provider
    from llmconfig.tenancy.audit import Actor


ClientKey: TypeAlias = "tuple[UUID, int, str, str]"


@dataclass(frozen=True)
class Deployment:
    """Config and model as plain values, without a secret; holds no ORM object. options: for `ModelRequest.options`.

    settings: all that a client is built with besides its base URL and secrets.
    """

    config: UUID
    secret_version: int
    provider: str
    model: str
    base_url: str
    settings: Mapping[str, Any]
    options: Mapping[str, Any]
    facts: ModelFacts

    @property
    def client_key(self) -> ClientKey:
        """Two deployments with equal keys may use one client."""
        return self.config, self.secret_version, self.base_url, repr(sorted(self.settings.items()))


@dataclass(frozen=True)
class Revealed:
    """A deployment as it is now, with what opens it: for the one client that is built at once."""

    deployment: Deployment
    credentials: Credentials


def deployment_for_run(config: UserLLMConfig, model: str) -> Deployment:
    """Opens nothing; the caller has checked that the run's owner may use the config.

    Raises `Conflict` with a code: `config_disabled`, `policy_forbidden`, `missing_key`, `unreadable`.
    """
    provider = _usable(config, model)
    if not is_readable(config):
        raise _unreadable(config)
    return _deployment(config, model, provider)


def reveal_for_run(config: UserLLMConfig, model: str, *, actor: Actor, **details: Any) -> Revealed:
    """For a worker that holds no client of this config yet. Audited. Raises as `deployment_for_run`."""
    provider = _usable(config, model)
    try:
        credentials = reveal(config, purpose="run", actor=actor, **details)
    except Unreadable:
        raise _unreadable(config) from None
    return Revealed(_deployment(config, model, provider), credentials)


def _usable(config: UserLLMConfig, model: str) -> type[Provider]:
    if not config.is_enabled:
        raise Conflict(f"The config “{config.name}” is disabled. Enable it or choose another model.", code="config_disabled")
    try:
        provider = provider_of(config.provider_type)
    except Invalid as error:
        raise Conflict(error.detail, code="config_disabled") from None
    policy.check_use(config, model)
    if config.status == ConfigStatus.MISSING_KEY or lacks(config, provider):
        raise Conflict(f"The config “{config.name}” has no key. Enter one under Settings, Providers.", code="missing_key")
    return provider


def _deployment(config: UserLLMConfig, model: str, provider: type[Provider]) -> Deployment:
    connection = {field.name for field in connection_fields(provider)}
    plain = credentials_from(provider, base_url=config.base_url, secrets={}, options=config.options)
    return Deployment(
        config=config.pk,
        secret_version=config.secret_version,
        provider=provider.slug,
        model=model,
        base_url=plain.base_url,
        settings=plain.options,
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


def _unreadable(config: UserLLMConfig) -> Conflict:
    UserLLMConfig.objects.filter(pk=config.pk).update(status=ConfigStatus.UNREADABLE, status_detail=UNREADABLE)
    return Conflict(f"The key of “{config.name}” cannot be opened. {UNREADABLE}", code="unreadable")


UNREADABLE = "It was sealed under another KEK. Restore that KEK, or enter the key again."
