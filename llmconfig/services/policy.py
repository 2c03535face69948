"""What an organization's policy allows of providers, models, hosts and members' own keys: judged at save, at test, in lists and at use.

The policy narrows what there is and never deletes: a config that it forbids is kept, says why, and works again once it is allowed.
Hosts are those that prompts and keys go to (`Provider.addresses`); MCP services are none of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from llmconfig import registry
from llmconfig.net.policy import SCHEMES
from llmconfig.services.fields import secret_fields
from llmconfig.tenancy.errors import Conflict, Forbidden, Invalid
from llmconfig.tenancy.models import Membership, Role

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from llmconfig.llm import Provider
    from llmconfig.models import UserLLMConfig
    from llmconfig.tenancy.caller import Caller
    from llmconfig.tenancy.models import Organization

CODE: Final = "policy_forbidden"
_BRING_KEYS: Final = frozenset({Role.ADMIN, Role.OWNER})
_WHO: Final = "An admin of your organization can change that under Organization, Policy."
_ABOUT_USE: Final = ("base_url", "options", "model", "shared")
"""What makes a config something else than what was allowed before; a name or a pause does not."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which rule forbids it, in words that name who can change it. attr: the field of a config that it is about."""

    words: str
    attr: str | None = None


def check_new(caller: Caller, provider: type[Provider], fields: Mapping[str, Any]) -> None:
    """Raises `Forbidden` or `Invalid`, with the code `policy_forbidden`, for a config that may not be made or tested."""
    if not fields.get("shared", False) and (refused := _own_keys(caller.organization, caller.role)):
        raise Forbidden(refused.words, code=CODE)
    credentials = fields.get("credentials", {})
    _check(caller.organization, provider, fields, {name for name in credentials if credentials[name]})


def check_change(caller: Caller, config: UserLLMConfig, provider: type[Provider], fields: Mapping[str, Any]) -> None:
    """Like `check_new`, for a change: renaming and disabling are always possible, a new key for what is forbidden is not."""
    if not _goes_on(config, fields):
        return
    shared = fields.get("shared", config.shared)
    if not shared and (refused := _own_keys(caller.organization, caller.role)):
        raise Forbidden(refused.words, code=CODE)
    after = {name: fields.get(name, getattr(config, name)) for name in ("base_url", "options", "model")}
    given = fields.get("credentials", {})
    _check(caller.organization, provider, after, _secrets_of(config, provider) | {name for name in given if given[name]})


def _goes_on(config: UserLLMConfig, fields: Mapping[str, Any]) -> bool:
    """Whether the config would be put to use anew: by a key, by another target of its requests, or by being enabled."""
    changed = any(name in fields and fields[name] != getattr(config, name) for name in _ABOUT_USE)
    enabled = bool(fields.get("is_enabled")) and not config.is_enabled
    return changed or enabled or bool(fields.get("api_key")) or any(fields.get("credentials", {}).values())


def refusal_for(caller: Caller, config: UserLLMConfig, model: str = "") -> Refusal | None:
    """Why the caller may not use a config of its organization, and `model` of it. No query."""
    return _refusal(caller.organization, config, model, caller.role)


def refusal_of(config: UserLLMConfig, model: str = "") -> Refusal | None:
    """The same outside a request. One query where members may not bring keys, one more where the organization is not loaded."""
    role = None
    if config.owner_id is not None and not config.organization.members_may_bring_keys:
        role = Membership.objects.filter(organization=config.organization_id, user=config.owner_id).values_list("role", flat=True).first()
    return _refusal(config.organization, config, model, Role(role) if role else None)


def check_use(config: UserLLMConfig, model: str) -> None:
    """At the moment of use, for what was saved before the policy changed. Raises `Conflict` with the code `policy_forbidden`."""
    if refused := refusal_of(config, model):
        raise Conflict(refused.words, code=CODE)


def is_model_allowed(organization: Organization, provider: str, model: str) -> bool:
    patterns = organization.allowed_models
    return patterns is None or any(_is_like(f"{provider}/{model}", pattern) for pattern in patterns)


def is_host_allowed(patterns: Collection[str] | None, url: str) -> bool:
    """A pattern without a port allows every port; what names no host is none to forbid."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    if patterns is None or not host:
        return True
    port = parts.port or SCHEMES.get(parts.scheme, 0)
    return any(_host_matches(pattern, f"[{host}]" if ":" in host else host, port) for pattern in patterns)


def _host_matches(pattern: str, host: str, port: int) -> bool:
    name, _, wanted = pattern.rpartition(":") if re.search(r":\d+$", pattern) else (pattern, "", "")
    if wanted and int(wanted) != port:
        return False
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def _is_like(name: str, pattern: str) -> bool:
    """Each piece between stars at the first place where it stands. A regular expression would try all places, for hours with ten stars."""
    first, *between = pattern.split("*")
    if not between:
        return name == pattern
    last = between.pop()
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in between:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _check(organization: Organization, provider: type[Provider], fields: Mapping[str, Any], secrets: Collection[str]) -> None:
    refused = _provider(organization, provider) or _hosts(
        organization, provider.addresses(fields.get("base_url", ""), secrets, fields.get("options", {}))
    )
    if not refused and (model := fields.get("model", "")):
        refused = _model(organization, provider.slug, model)
    if refused:
        raise Invalid(refused.words, code=CODE, attr=refused.attr)


def _refusal(organization: Organization, config: UserLLMConfig, model: str, role: Role | None) -> Refusal | None:
    if config.owner_id is not None and (refused := _own_keys(organization, role)):
        return refused
    try:
        provider = registry.provider_class(config.provider_type)
    except LookupError:
        return None  # whoever would use it is told that there is no such provider
    addresses = provider.addresses(config.base_url, _secrets_of(config, provider), config.options)
    named = _model(organization, provider.slug, model) if model else None
    return _provider(organization, provider) or _hosts(organization, addresses) or named


def _secrets_of(config: UserLLMConfig, provider: type[Provider]) -> set[str]:
    return {field.name for field in secret_fields(provider)} if config.credentials else set()


def _own_keys(organization: Organization, role: Role | None) -> Refusal | None:
    if organization.members_may_bring_keys or role in _BRING_KEYS:
        return None
    return Refusal(f"{organization.name} does not let members use keys of their own: use a shared provider. {_WHO}")


def _provider(organization: Organization, provider: type[Provider]) -> Refusal | None:
    allowed = organization.allowed_providers
    if allowed is None or provider.slug in allowed:
        return None
    return Refusal(f"{organization.name} does not allow {provider.label}. It allows {_listed(_labels(allowed))}. {_WHO}", "provider_type")


def _hosts(organization: Organization, urls: Iterable[str]) -> Refusal | None:
    for url in urls:
        if not is_host_allowed(organization.allowed_hosts, url):
            host = urlsplit(url).netloc.rpartition("@")[2]
            return Refusal(
                f"{organization.name} does not allow the host {host}. It allows {_listed(organization.allowed_hosts)}. {_WHO}", "base_url"
            )
    return None


def _model(organization: Organization, provider: str, model: str) -> Refusal | None:
    if is_model_allowed(organization, provider, model):
        return None
    return Refusal(
        f"{organization.name} does not allow the model {model}. It allows {_listed(organization.allowed_models)}. {_WHO}", "model"
    )


def _labels(slugs: Iterable[str]) -> list[str]:
    known = {provider.slug: provider.label for provider in registry.all_providers()}
    return [known.get(slug, slug) for slug in slugs]


def _listed(names: Iterable[str] | None) -> str:
    shown = list(names or ())
    return ", ".join(shown[:8]) + (" and others" if len(shown) > 8 else "") if shown else "none"
