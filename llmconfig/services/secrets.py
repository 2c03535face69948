"""A config's secrets: sealed when they come, and opened. Whoever opens them for a client goes by `reveal`, which is audited."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmconfig.llm import Credentials, Secret
from llmconfig.services.data_key_rotation import KEY_UNREADABLE
from llmconfig.services.fields import connection_fields, credentials_problem, provider_of, secret_fields
from llmconfig.tenancy.errors import Conflict
from llmconfig.tenancy.keys import data_key_for, open_for, seal_for
from llmconfig.tenancy.sealed import Sealed
from llmconfig.vault import Unreadable, fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmconfig.llm import Provider
    from llmconfig.models import RetiredKey, UserLLMConfig
    from llmconfig.tenancy.errors import Invalid


def put_secrets(config: UserLLMConfig, *, api_key: Secret | None, credentials: Mapping[str, Secret]) -> None:
    """Seal what was given into the row, unsaved; what was not given stays. Raises `Conflict` when the organization's key cannot be used."""
    try:
        if api_key:
            config.api_key = Sealed(seal_for(config, "api_key", api_key))
            config.api_key_hint = api_key.hint()
            config.api_key_fingerprint = fingerprint(api_key, data_key_for(config.organization_id)) if config.api_key_hint else ""
        if credentials:
            merged = {**_opened_or_nothing(config), **{name: secret.reveal() for name, secret in credentials.items()}}
            config.credentials = Sealed(seal_for(config, "credentials", Secret(json.dumps(merged))))
    except Unreadable:
        raise Conflict(KEY_UNREADABLE, code="unreadable") from None


def clear_secrets(config: UserLLMConfig) -> None:
    config.api_key = config.credentials = Sealed()
    config.api_key_hint = config.api_key_fingerprint = ""


def move_secrets(config: UserLLMConfig, owner_id: Any) -> None:
    """Seal anew under another owner, unsaved: a ciphertext is bound to its owner. Raises `Conflict`."""
    try:
        opened = {name: open_for(config, name) for name in config.SECRET_FIELDS if getattr(config, name)}
        config.owner_id = owner_id
        for name, secret in opened.items():
            setattr(config, name, Sealed(seal_for(config, name, secret)))
    except Unreadable:
        raise Conflict("This config's key cannot be opened. Enter it again before you change who may use it.", code="unreadable") from None


def reseal(source: UserLLMConfig | RetiredKey, target: UserLLMConfig | RetiredKey) -> dict[str, Secret]:
    """Seal the secrets of one row anew for another, unsaved; what they are, to compare. Raises `Unreadable`."""
    opened = {name: open_for(source, name) for name in source.SECRET_FIELDS if getattr(source, name)}
    for name in source.SECRET_FIELDS:
        setattr(target, name, Sealed(seal_for(target, name, opened[name])) if name in opened else Sealed())
    target.api_key_hint, target.api_key_fingerprint = source.api_key_hint, source.api_key_fingerprint
    return opened


def open_credentials(config: UserLLMConfig) -> Credentials:
    """Everything a client of this config needs, secrets included. Raises `Unreadable`."""
    provider = provider_of(config.provider_type)
    secrets: dict[str, Secret] = {}
    if config.api_key:
        secrets["api_key"] = open_for(config, "api_key")
    if config.credentials:
        opened: dict[str, str] = json.loads(open_for(config, "credentials").reveal())
        secrets.update({name: Secret(text) for name, text in opened.items()})
    return credentials_from(provider, base_url=config.base_url, secrets=secrets, options=config.options)


def credentials_from(provider: type[Provider], *, base_url: str, secrets: Mapping[str, Secret], options: Mapping[str, Any]) -> Credentials:
    """options: all of the config's, over the defaults of the provider's connection fields."""
    defaults = {field.name: field.default for field in connection_fields(provider) if field.default is not None}
    return Credentials(base_url=base_url or provider.default_base_url, secrets=secrets, options={**defaults, **options})


def lacks(config: UserLLMConfig, provider: type[Provider]) -> Invalid | None:
    """What the config needs before it can be used, without opening anything: all secrets but `api_key` share one sealed field."""
    sealed = {field.name for field in secret_fields(provider)} if config.credentials else set[str]()
    return credentials_problem(provider, sealed | ({"api_key"} if config.api_key else set()), config.options)


def _opened_or_nothing(config: UserLLMConfig) -> dict[str, str]:
    if not config.credentials:
        return {}
    try:
        opened: dict[str, str] = json.loads(open_for(config, "credentials").reveal())
    except Unreadable:
        return {}
    return opened
