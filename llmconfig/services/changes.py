"""What the audit trail says of a config's change: names of fields, the address and the model before and after, never a secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from llmconfig.tenancy.audit import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llmconfig.models import RetiredKey, UserLLMConfig
    from llmconfig.tenancy.audit import Actor

_APART: Final = frozenset({"api_key", "credentials", "shared", "is_default", "is_enabled"})
"""What has an event of its own."""


@dataclass(frozen=True, slots=True)
class ConfigState:
    """A config before it was changed."""

    name: str
    base_url: str
    model: str
    options: Mapping[str, Any]
    priority: int
    weight: int
    is_default: bool
    is_enabled: bool
    owner: Any
    hint: str
    secret_version: int


@dataclass(frozen=True, slots=True)
class Rotation:
    """What became of the key before. check: what the vendor said of the new one, "" when it was not asked."""

    retired: RetiredKey | None
    shredded: int
    check: str


def state_of(config: UserLLMConfig) -> ConfigState:
    return ConfigState(
        name=config.name,
        base_url=config.base_url,
        model=config.model,
        options=dict(config.options),
        priority=config.priority,
        weight=config.weight,
        is_default=config.is_default,
        is_enabled=config.is_enabled,
        owner=config.owner_id,
        hint=config.api_key_hint,
        secret_version=config.secret_version,
    )


def record_creation(config: UserLLMConfig, *, actor: Actor) -> None:
    details = {
        "provider": config.provider_type,
        "base_url": config.base_url,
        "model": config.model,
        "hint": config.api_key_hint,
        "shared": config.shared,
        "default": config.is_default,
    }
    record("config.created", actor=actor, organization=config.organization_id, object=config, details=details)


def record_change(
    config: UserLLMConfig, before: ConfigState, *, actor: Actor, names: Sequence[str], rotation: Rotation | None, given: Sequence[str]
) -> None:
    """An event for each thing that is another now; none where nothing is. The last thing of the transaction.

    names: of the fields that were sent. given: those among them that hold a secret.
    """
    for action, details in _events(config, before, names, rotation, given):
        record(action, actor=actor, organization=config.organization_id, object=config, details=details)


def _events(
    config: UserLLMConfig, before: ConfigState, names: Sequence[str], rotation: Rotation | None, given: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    after = state_of(config)
    plain = [name for name in names if name not in _APART and getattr(before, name, None) != getattr(after, name, None)]
    if plain:
        moved: dict[str, Any] = {name: [getattr(before, name), getattr(after, name)] for name in ("base_url", "model") if name in plain}
        yield "config.changed", {"fields": plain, **moved}
    if rotation is not None:
        yield from _about_the_key(config, before, rotation, given)
    if before.owner != after.owner:
        yield "config.shared" if config.shared else "config.unshared", {}
    if before.is_enabled != after.is_enabled:
        yield "config.enabled" if config.is_enabled else "config.disabled", {}
    if before.is_default != after.is_default:
        yield "config.default_changed", {"default": after.is_default}


def _about_the_key(
    config: UserLLMConfig, before: ConfigState, rotation: Rotation, given: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    if given:
        details: dict[str, Any] = {"hint": [before.hint, config.api_key_hint], "secrets": given}
        if rotation.retired is not None:
            details["kept_until"] = rotation.retired.shred_at.isoformat(timespec="seconds")
        if rotation.check:
            details["check"] = rotation.check
        yield "config.rotated", details
    elif before.hint and not config.api_key_hint:
        yield "config.cleared", {"hint": before.hint, "why": "another host"}
    if rotation.shredded:
        yield "config.shredded", {"keys": rotation.shredded, "why": "another host or owner"}
