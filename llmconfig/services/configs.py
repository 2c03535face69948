"""Making, changing and deleting configs. The one way in for the API, the pages, the admin and commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from django.conf import settings
from django.db import IntegrityError, transaction

from llmconfig.models import ConfigStatus, UserLLMConfig
from llmconfig.services import policy
from llmconfig.services.demo import DEMO_SLUG, ensure_demo_config
from llmconfig.services.fields import (
    check_base_url,
    check_options,
    check_secrets,
    connection_fields,
    credentials_problem,
    origin,
    provider_of,
    require_options,
)
from llmconfig.services.secrets import clear_secrets, lacks, move_secrets, put_secrets
from llmconfig.tenancy.caller import Action, Caller, allows
from llmconfig.tenancy.errors import Conflict, Forbidden, Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from django.db.models import QuerySet

    from llmconfig.llm import Provider, Secret


class ConfigFields(TypedDict, total=False):
    """What a person sets. `shared` gives the config to the organization; an empty `api_key` is none given."""

    name: str
    provider_type: str
    api_key: Secret
    credentials: Mapping[str, Secret]
    base_url: str
    model: str
    options: Mapping[str, Any]
    is_default: bool
    is_enabled: bool
    shared: bool
    priority: int
    weight: int


_PLAIN = ("name", "base_url", "model", "is_enabled", "priority", "weight")
_OF_THE_DEMO = frozenset({"provider_type", "is_enabled", "is_default", "priority", "weight"})
_ABOUT_CREDENTIALS = frozenset({"api_key", "credentials", "options"})
_WHAT_A_TEST_SAW = ("base_url", "model", "options")


def configs_for(caller: Caller) -> QuerySet[UserLLMConfig]:
    """The caller's own configs and the organization's, newest first."""
    ensure_demo_config(caller.organization)
    rows = UserLLMConfig.objects.for_caller(caller).order_by("-created_at", "-id")
    return rows if settings.DEMO else rows.exclude(provider_type=DEMO_SLUG)


def config_for(caller: Caller, id: UUID) -> UserLLMConfig:
    """Raises `UserLLMConfig.DoesNotExist`, for a foreign id as for one that never was."""
    return UserLLMConfig.objects.for_caller(caller).get(pk=id)


def create_config(*, caller: Caller, **fields: Unpack[ConfigFields]) -> UserLLMConfig:
    """A new config, `untested`. Raises `Invalid`, `Forbidden`, `Conflict`."""
    provider = check_new_config(caller=caller, **fields)
    shared = fields.get("shared", False)
    config = UserLLMConfig(
        organization=caller.organization,
        owner=None if shared else caller.user,
        provider_type=provider.slug,
        options=dict(fields.get("options", {})),
        **{name: fields[name] for name in _PLAIN if name in fields},  # type: ignore[literal-required]
    )
    config.name = config.name or provider.label
    with transaction.atomic():  # sealed in it, so that a rotation does not delete the key before this is stored
        put_secrets(config, api_key=fields.get("api_key"), credentials=_given(fields))
        if config.api_key or config.credentials:
            config.secret_version = 1
        _save(config, fields.get("is_default"))
    return config


def check_new_config(*, caller: Caller, **fields: Unpack[ConfigFields]) -> type[Provider]:
    """Everything that `create_config` refuses, without making anything."""
    _require(caller, shared=fields.get("shared", False))
    provider = provider_of(fields.get("provider_type", ""))
    if provider.is_demo:
        raise Invalid("The demo provider is built in and needs no config.", code="built_in", attr="provider_type")
    options, credentials, api_key = fields.get("options", {}), _given(fields), fields.get("api_key")
    check_base_url(provider, fields.get("base_url", ""))
    check_secrets(provider, api_key, credentials)
    check_options(provider, options)
    policy.check_new(caller, provider, fields)
    if problem := credentials_problem(provider, {*credentials, *(["api_key"] if api_key else [])}, options):
        raise problem
    require_options(provider, options)
    return provider


@transaction.atomic
def update_config(*, caller: Caller, id: UUID, **fields: Unpack[ConfigFields]) -> UserLLMConfig:
    """Change what is named. A new key rotates: runs in flight finish on the one they opened.

    Another origin of `base_url` without a new key clears the key. Raises `Invalid`, `Forbidden`, `Conflict`, `DoesNotExist`.
    """
    config = UserLLMConfig.objects.for_caller(caller).select_for_update(of=("self",)).get(pk=id)
    _require(caller, shared=config.shared or fields.get("shared", False))
    provider = provider_of(config.provider_type)
    _check_change(config, provider, fields)
    policy.check_change(caller, config, provider, fields)
    return _change(config, fields, owner_if_own=caller.user.pk)


@transaction.atomic
def update_config_as_operator(*, id: UUID, **fields: Unpack[ConfigFields]) -> UserLLMConfig:
    """The admin's change to anybody's config; `shared` is its owner's to decide. Raises `Invalid`, `Conflict`, `DoesNotExist`."""
    config = UserLLMConfig.objects.select_for_update(of=("self",)).get(pk=id)
    _check_change(config, provider_of(config.provider_type), fields)
    return _change(config, fields, owner_if_own=config.owner_id)


def _change(config: UserLLMConfig, fields: ConfigFields, *, owner_if_own: Any) -> UserLLMConfig:
    provider = provider_of(config.provider_type)
    api_key, credentials = fields.get("api_key"), _given(fields)
    before = [getattr(config, name) for name in _WHAT_A_TEST_SAW]
    moved = _moves(config, provider, fields)
    lost = moved and bool(config.api_key or config.credentials) and not (api_key or credentials)
    if moved:
        clear_secrets(config)
    if fields.get("shared", config.shared) != config.shared:
        move_secrets(config, None if fields["shared"] else owner_if_own)
        config.is_default = False
    for name in _PLAIN:
        if name in fields:
            setattr(config, name, fields[name])  # type: ignore[literal-required]
    config.name = config.name or provider.label
    config.options = dict(fields.get("options", config.options))
    put_secrets(config, api_key=api_key, credentials=credentials)
    rotated = moved or bool(api_key or credentials)
    config.secret_version += rotated
    problem = lacks(config, provider)
    if problem and str(problem.attr).startswith("options.") and _ABOUT_CREDENTIALS & set(fields):
        raise problem
    if lost or problem:
        config.status, config.status_detail = ConfigStatus.MISSING_KEY, "The server changed. Enter the key for the new one." if lost else ""
    elif rotated or before != [getattr(config, name) for name in _WHAT_A_TEST_SAW]:
        config.status, config.status_detail = _untested(config, rotated=rotated)
    _save(config, fields.get("is_default"))
    return config


def delete_config(*, caller: Caller, id: UUID) -> None:
    """Runs in flight finish; conversations that name it fall back to the default. Raises `Forbidden`, `Conflict`, `DoesNotExist`."""
    config = config_for(caller, id)
    _require(caller, shared=config.shared)
    if config.provider_type == DEMO_SLUG:
        raise Conflict("The demo provider is built in. Disable it instead.", code="built_in")
    config.delete()


def _given(fields: ConfigFields) -> dict[str, Secret]:
    return {name: secret for name, secret in fields.get("credentials", {}).items() if secret}


def _require(caller: Caller, *, shared: bool) -> None:
    if not allows(caller, Action.SHARE if shared else Action.MANAGE_OWN):
        what = "Only an admin or owner changes what the organization shares." if shared else "Your role here may not have configs."
        raise Forbidden(what)


def _check_change(config: UserLLMConfig, provider: type[Provider], fields: ConfigFields) -> None:
    if fields.get("provider_type", config.provider_type) != config.provider_type:
        raise Invalid("A config's provider cannot change. Make a new config.", code="immutable", attr="provider_type")
    if provider.is_demo and set(fields) - _OF_THE_DEMO:
        raise Conflict("The demo provider is built in: it can be enabled, disabled or made the default.", code="built_in")
    if "base_url" in fields:
        check_base_url(provider, fields["base_url"])
    check_secrets(provider, fields.get("api_key"), _given(fields))
    if "options" in fields:
        check_options(provider, fields["options"])
        require_options(provider, fields["options"])


def _untested(config: UserLLMConfig, *, rotated: bool) -> tuple[str, str]:
    """Untested again; but a key that could not be opened, or is missing, is so until a new one comes."""
    if not rotated and config.status in {ConfigStatus.UNREADABLE, ConfigStatus.MISSING_KEY}:
        return config.status, config.status_detail
    return ConfigStatus.UNTESTED, ""


def _moves(config: UserLLMConfig, provider: type[Provider], fields: ConfigFields) -> bool:
    """Whether secrets would go to another origin than before: the base URL's, or that of a URL among the connection's options."""
    at_home = provider.default_base_url
    pairs = [(fields.get("base_url", config.base_url) or at_home, config.base_url or at_home)]
    for field in connection_fields(provider):
        if field.type == "url":
            before, after = (
                options.get(field.name) or field.default or "" for options in (config.options, fields.get("options", config.options))
            )
            pairs.append((str(after), str(before)))
    return any(origin(after) != origin(before) for after, before in pairs)


def _save(config: UserLLMConfig, is_default: bool | None) -> None:
    """Save, with at most one default for each owner."""
    if is_default is not None:
        config.is_default = is_default
    if config.is_default:
        others = UserLLMConfig.objects.filter(organization=config.organization_id, owner=config.owner_id, is_default=True)
        others.exclude(pk=config.pk).update(is_default=False)
    try:
        with transaction.atomic():
            config.save()
    except IntegrityError:
        raise Conflict("Another config became the default at the same moment. Try again.") from None
