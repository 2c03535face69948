"""Making, changing and deleting configs. The one way in for the API, the pages, the admin and commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from django.conf import settings
from django.db import IntegrityError, transaction

from llmconfig.models import ConfigStatus, RetiredKey, UserLLMConfig
from llmconfig.services import policy
from llmconfig.services.changes import ConfigState, Rotation, record_change, record_creation, state_of
from llmconfig.services.demo import DEMO_SLUG, ensure_demo_config
from llmconfig.services.fields import (
    check_base_url,
    check_options,
    check_secrets,
    credentials_problem,
    places_of,
    provider_of,
    require_options,
)
from llmconfig.services.misplaced import check_misplaced
from llmconfig.services.retired import retired_copy, shred
from llmconfig.services.secrets import clear_secrets, lacks, move_secrets, put_secrets
from llmconfig.tenancy.audit import Actor, record
from llmconfig.tenancy.caller import Caller, require_change
from llmconfig.tenancy.errors import Conflict, Invalid

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


_READABLE = ("name", "base_url", "model", "options")
_PLAIN = ("name", "base_url", "model", "is_enabled", "priority", "weight")
_OF_THE_DEMO = frozenset({"provider_type", "is_enabled", "is_default", "priority", "weight"})
_ABOUT_CREDENTIALS = frozenset({"api_key", "credentials", "options"})
_MOVED = "The server changed. Enter the key for the new one."
_WHAT_A_TEST_SAW = ("base_url", "model", "options")


def configs_for(caller: Caller) -> QuerySet[UserLLMConfig]:
    """The caller's own configs and the organization's, newest first."""
    ensure_demo_config(caller.organization)
    rows = UserLLMConfig.objects.for_caller(caller).order_by("-created_at", "-id")
    return rows if settings.DEMO else rows.exclude(provider_type=DEMO_SLUG)


def config_for(caller: Caller, id: UUID) -> UserLLMConfig:
    """Raises `UserLLMConfig.DoesNotExist`, for a foreign id as for one that never was."""
    return UserLLMConfig.objects.for_caller(caller).get(pk=id)


def create_config(*, caller: Caller, actor: Actor | None = None, **fields: Unpack[ConfigFields]) -> UserLLMConfig:
    """A new config, `untested`. actor: who did it, where that is not the caller. Raises `Invalid`, `Forbidden`, `Conflict`."""
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
        put_secrets(config, api_key=fields.get("api_key"), credentials=given_credentials(fields))
        if config.api_key or config.credentials:
            config.secret_version = 1
        _save(config, fields.get("is_default"))
        record_creation(config, actor=actor or Actor.of(caller))
    return config


def check_new_config(*, caller: Caller, **fields: Unpack[ConfigFields]) -> type[Provider]:
    """Everything that `create_config` refuses, without making anything."""
    require(caller, shared=fields.get("shared", False))
    provider = provider_of(fields.get("provider_type", ""))
    if provider.is_demo:
        raise Invalid("The demo provider is built in and needs no config.", code="built_in", attr="provider_type")
    options, credentials, api_key = fields.get("options", {}), given_credentials(fields), fields.get("api_key")
    check_base_url(provider, fields.get("base_url", ""))
    check_secrets(provider, api_key, credentials)
    _check_misplaced(fields)
    check_options(provider, options)
    policy.check_new(caller, provider, fields)
    if problem := credentials_problem(provider, {*credentials, *(["api_key"] if api_key else [])}, options):
        raise problem
    require_options(provider, options)
    return provider


@dataclass(frozen=True, slots=True)
class Check:
    """What came of asking the vendor about a new key, for the audit trail, and what was asked about."""

    outcome: str
    about: ConfigState


def update_config(*, caller: Caller, id: UUID, check: Check | None = None, **fields: Unpack[ConfigFields]) -> UserLLMConfig:
    """Change what is named, without asking anybody: `change_config` is the way in. A new key rotates: runs in flight finish on the old one,
    which is kept for the grace.

    Another origin of `base_url` without a new key clears the key. Raises `Invalid`, `Forbidden`, `Conflict`, `DoesNotExist`.
    """
    with transaction.atomic():
        config = locked_config(caller, id)
        check_allowed_change(caller, config, fields)
        return _change(config, fields, owner_if_own=caller.user.pk, actor=Actor.of(caller), check=check)


def update_config_as_operator(*, actor: Actor, id: UUID, check: Check | None = None, **fields: Unpack[ConfigFields]) -> UserLLMConfig:
    """The admin's change to anybody's config; `shared` is its owner's to decide. Raises `Invalid`, `Conflict`, `DoesNotExist`."""
    with transaction.atomic():
        config = UserLLMConfig.objects.select_for_update(of=("self",)).get(pk=id)
        check_change(config, provider_of(config.provider_type), fields)
        return _change(config, fields, owner_if_own=config.owner_id, actor=actor, check=check)


def check_allowed_change(caller: Caller, config: UserLLMConfig, fields: ConfigFields) -> None:
    """Everything that a person's change is refused for before anything is asked or made. Raises `Invalid`, `Forbidden`, `Conflict`."""
    require(caller, shared=config.shared or fields.get("shared", False))
    provider = provider_of(config.provider_type)
    check_change(config, provider, fields)
    policy.check_change(caller, config, provider, fields)


def locked_config(caller: Caller, id: UUID) -> UserLLMConfig:
    """To be changed within a transaction. Raises `DoesNotExist`."""
    return UserLLMConfig.objects.for_caller(caller).select_for_update(of=("self",)).get(pk=id)


def _change(config: UserLLMConfig, fields: ConfigFields, *, owner_if_own: Any, actor: Actor, check: Check | None) -> UserLLMConfig:
    provider = provider_of(config.provider_type)
    before = state_of(config)
    if check is not None and check.about != before:
        raise Conflict("This config was changed while its new key was checked. Look at it and try again.", code="changed_meanwhile")
    given = ("api_key",) * bool(fields.get("api_key")) + ("credentials",) * bool(given_credentials(fields))
    seen = [getattr(config, name) for name in _WHAT_A_TEST_SAW]
    moved = moves(config, provider, fields)
    lost = moved and bool(config.api_key or config.credentials) and not given
    shredded = _leave_place(config, fields, owner_if_own) if moved or _changes_owner(config, fields) else 0
    old = retired_copy(config, reason=RetiredKey.Reason.ROTATED, instead=fields.get("api_key")) if given and not moved else None
    _assign(config, provider, fields)
    rotated = moved or bool(given)
    config.secret_version += rotated or before.owner != config.owner_id
    _judge(config, provider, fields, lost=lost, rotated=rotated, is_as_tested=seen == [getattr(config, name) for name in _WHAT_A_TEST_SAW])
    _save(config, fields.get("is_default"))
    if old is not None:
        old.save(force_insert=True)
    about = Rotation(old, shredded, check.outcome if check else "") if rotated or shredded else None
    record_change(config, before, actor=actor, names=tuple(fields), rotation=about, given=given)
    return config


def _changes_owner(config: UserLLMConfig, fields: ConfigFields) -> bool:
    return fields.get("shared", config.shared) != config.shared


def _leave_place(config: UserLLMConfig, fields: ConfigFields, owner_if_own: Any) -> int:
    """Another server gets no secret that was another's, and another owner none that was replaced before. How many copies were destroyed."""
    if moves(config, provider_of(config.provider_type), fields):
        clear_secrets(config)
    if _changes_owner(config, fields):
        move_secrets(config, None if fields["shared"] else owner_if_own)
        config.is_default = False
    return shred(config)


def _assign(config: UserLLMConfig, provider: type[Provider], fields: ConfigFields) -> None:
    for name in _PLAIN:
        if name in fields:
            setattr(config, name, fields[name])  # type: ignore[literal-required]
    config.name = config.name or provider.label
    config.options = dict(fields.get("options", config.options))
    put_secrets(config, api_key=fields.get("api_key"), credentials=given_credentials(fields))


def _judge(config: UserLLMConfig, provider: type[Provider], fields: ConfigFields, *, lost: bool, rotated: bool, is_as_tested: bool) -> None:
    """Its status after the change. Raises `Invalid` for an option without which the secrets are of no use."""
    problem = lacks(config, provider)
    if problem and str(problem.attr).startswith("options.") and _ABOUT_CREDENTIALS & set(fields):
        raise problem
    if lost or problem:
        said = config.status_detail if config.status == ConfigStatus.MISSING_KEY else ""
        config.status, config.status_detail = ConfigStatus.MISSING_KEY, _MOVED if lost else said
    elif rotated or not is_as_tested:
        config.status, config.status_detail = _untested(config, rotated=rotated)


def delete_config(*, caller: Caller, id: UUID) -> None:
    """Its runs end within a heartbeat, its conversations fall back to the default. Raises `Forbidden`, `Conflict`, `DoesNotExist`."""
    with transaction.atomic():
        config = locked_config(caller, id)
        require(caller, shared=config.shared)
        _delete(config, Actor.of(caller))


def delete_config_as_operator(*, actor: Actor, id: UUID) -> None:
    """Raises `Conflict`, `DoesNotExist`."""
    with transaction.atomic():
        _delete(UserLLMConfig.objects.select_for_update(of=("self",)).get(pk=id), actor)


def _delete(config: UserLLMConfig, actor: Actor) -> None:
    if config.provider_type == DEMO_SLUG:
        raise Conflict("The demo provider is built in. Disable it instead.", code="built_in")
    about = ("config", str(config.pk), str(config))
    details = {"provider": config.provider_type, "hint": config.api_key_hint, "shared": config.shared, "uses": config.uses}
    organization = config.organization_id
    config.delete()
    record("config.deleted", actor=actor, organization=organization, object=about, details=details)


def given_credentials(fields: ConfigFields) -> dict[str, Secret]:
    return {name: secret for name, secret in fields.get("credentials", {}).items() if secret}


def require(caller: Caller, *, shared: bool) -> None:
    require_change(caller, shared=shared, things="configs")


def check_change(config: UserLLMConfig, provider: type[Provider], fields: ConfigFields) -> None:
    if fields.get("provider_type", config.provider_type) != config.provider_type:
        raise Invalid("A config's provider cannot change. Make a new config.", code="immutable", attr="provider_type")
    if provider.is_demo and set(fields) - _OF_THE_DEMO:
        raise Conflict("The demo provider is built in: it can be enabled, disabled or made the default.", code="built_in")
    if "base_url" in fields:
        check_base_url(provider, fields["base_url"])
    check_secrets(provider, fields.get("api_key"), given_credentials(fields))
    _check_misplaced(fields)
    if "options" in fields:
        check_options(provider, fields["options"])
        require_options(provider, fields["options"])


def _check_misplaced(fields: ConfigFields) -> None:
    given = [*filter(None, [fields.get("api_key")]), *given_credentials(fields).values()]
    check_misplaced({name: value for name, value in fields.items() if name in _READABLE}, given)


def _untested(config: UserLLMConfig, *, rotated: bool) -> tuple[str, str]:
    """Untested again; but a key that could not be opened, or is missing, is so until a new one comes."""
    if not rotated and config.status in {ConfigStatus.UNREADABLE, ConfigStatus.MISSING_KEY}:
        return config.status, config.status_detail
    return ConfigStatus.UNTESTED, ""


def moves(config: UserLLMConfig, provider: type[Provider], fields: ConfigFields) -> bool:
    """Whether secrets would go to another origin than before."""
    after = places_of(provider, fields.get("base_url", config.base_url), fields.get("options", config.options))
    return after != places_of(provider, config.base_url, config.options)


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
