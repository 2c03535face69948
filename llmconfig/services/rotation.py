"""A new key in place of one that works: the vendor is asked about it first, and a definitive no keeps the present one.

                      asked first?                         what the answer does
?validate left out    where the present key is `valid`     refused: 400 · anything else that goes wrong: saved as `untested`
?validate=true        always                               whatever goes wrong: 400
?validate=false       never                                nothing
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

from django.conf import settings

from llmconfig.models import ConfigStatus, UserLLMConfig
from llmconfig.services.changes import state_of
from llmconfig.services.configs import (
    Check,
    ConfigFields,
    check_allowed_change,
    check_change,
    config_for,
    given_credentials,
    moves,
    update_config,
    update_config_as_operator,
)
from llmconfig.services.connection import ConnectionResult, TestRefused, ask, checking, note_result, ready
from llmconfig.services.fields import credentials_problem, provider_of
from llmconfig.services.secrets import credentials_from
from llmconfig.services.standing import DEFINITIVE
from llmconfig.tenancy.audit import Actor, Outcome, record

if TYPE_CHECKING:
    from uuid import UUID

    from llmconfig.llm import Provider, Secret
    from llmconfig.tenancy.caller import Caller

_REFUSALS: Final = frozenset({*DEFINITIVE, "model_not_found"})
"""What a vendor means: trying again does not help. Replacing a working key by this one would stop whoever uses it."""


def change_config(*, caller: Caller, id: UUID, validate: bool | None = None, **fields: Unpack[ConfigFields]) -> UserLLMConfig:
    """Change what is named, a new key by the table above. Network; never within a transaction.

    Raises as `update_config`, and `TestRefused` at `api_key` with the error's kind: nothing was changed then.
    """
    config, actor = config_for(caller, id), Actor.of(caller)
    check_allowed_change(caller, config, fields)
    result, check = _asked(config, fields, actor=actor, validate=validate)
    changed = update_config(caller=caller, id=id, check=check, **fields)
    return _noted(changed, result, actor)


def change_config_as_operator(*, actor: Actor, id: UUID, validate: bool | None = None, **fields: Unpack[ConfigFields]) -> UserLLMConfig:
    """The admin's. Network; never within a transaction. Raises as `update_config_as_operator`, and `TestRefused`."""
    config = UserLLMConfig.objects.get(pk=id)
    result, check = _asked(config, fields, actor=actor, validate=validate)
    changed = update_config_as_operator(actor=actor, id=id, check=check, **fields)
    return _noted(changed, result, actor)


def _noted(config: UserLLMConfig, result: ConnectionResult | None, actor: Actor) -> UserLLMConfig:
    if result is not None:
        note_result(config, result, actor=actor)
        config.refresh_from_db()
    return config


def _asked(
    config: UserLLMConfig, fields: ConfigFields, *, actor: Actor, validate: bool | None
) -> tuple[ConnectionResult | None, Check | None]:
    gives = bool(fields.get("api_key") or given_credentials(fields))
    protects = gives and config.status == ConfigStatus.VALID and config.is_enabled
    if not (protects if validate is None else validate):
        return None, None
    provider = provider_of(config.provider_type)
    check_change(config, provider, fields)
    result = _ask(config, provider, fields, actor)
    if result.error_kind in _REFUSALS or (validate and not result.ok):
        record(
            "config.rotated" if gives else "config.changed",
            actor=actor,
            organization=config.organization_id,
            object=config,
            outcome=Outcome.REFUSED,
            details={"check": result.error_kind},
        )
        raise TestRefused(_words(config, result, gives=gives), code=result.error_kind, attr=_place(fields, gives=gives))
    return result, Check(result.error_kind or "passed", state_of(config))


def _ask(config: UserLLMConfig, provider: type[Provider], fields: ConfigFields, actor: Actor) -> ConnectionResult:
    """With what the config would be after the change. Its stored secrets are opened where the change leaves some of them in use."""
    options = fields.get("options", config.options)
    given: dict[str, Secret] = given_credentials(fields)
    if api_key := fields.get("api_key"):
        given["api_key"] = api_key
    stored = _stored(config, provider, fields, given, actor)
    if isinstance(stored, ConnectionResult):
        return stored
    secrets = {**stored, **given}
    if problem := credentials_problem(provider, secrets, options):
        if str(problem.attr).startswith("options."):
            raise problem
        return ConnectionResult(0, error_kind="missing_key", error_detail=problem.detail)
    credentials = credentials_from(provider, base_url=fields.get("base_url", config.base_url), secrets=secrets, options=options)
    return ask(provider, credentials, work=checking(fields.get("model", config.model)), within=settings.KEY_CHECK_S)


def _stored(
    config: UserLLMConfig, provider: type[Provider], fields: ConfigFields, given: dict[str, Secret], actor: Actor
) -> dict[str, Secret] | ConnectionResult:
    """The secrets that go on being used beside those that are given; never for another server. A result: they cannot be opened."""
    if not (config.api_key or config.credentials) or moves(config, provider, fields) or set(given) == {"api_key"} == _named(provider):
        return {}
    opened = ready(config, purpose="check", actor=actor)
    return opened if isinstance(opened, ConnectionResult) else dict(opened[1].secrets)


def _named(provider: type[Provider]) -> set[str]:
    return {field.name for field in provider.fields if field.write_only}


def _words(config: UserLLMConfig, result: ConnectionResult, *, gives: bool) -> str:
    if not gives:
        return f"Nothing was saved. {result.error_detail}"
    stays = f"The present key ({config.api_key_hint}) stays in use." if config.api_key_hint else "The present one stays in use."
    return f"The new key was not saved: {result.error_detail} {stays} Enter another, or save this one all the same."


def _place(fields: ConfigFields, *, gives: bool) -> str | None:
    if not gives:
        return None
    return "api_key" if fields.get("api_key") else "credentials"
