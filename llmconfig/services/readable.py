"""Whether a sealed secret could be opened, judged by the data key that it names: nothing is decrypted for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmconfig.models import ConfigStatus
from llmconfig.tenancy.keys import names_a_key_of, openable_keys

if TYPE_CHECKING:
    from llmconfig.models import UserLLMConfig
    from llmconfig.tenancy.sealed import Sealed


def can_open(sealed: Sealed, keys: frozenset[str]) -> bool:
    """Nothing at all opens too. A damaged value may still turn out to be none when it is opened."""
    return not sealed or names_a_key_of(sealed.text, keys)


def is_readable(config: UserLLMConfig, keys: frozenset[str] | None = None) -> bool:
    """keys: those of its organization that open, where they are known already."""
    secrets = [getattr(config, name) for name in config.SECRET_FIELDS if getattr(config, name)]
    if not secrets:
        return True
    known = openable_keys(config.organization_id) if keys is None else keys
    return all(can_open(each, known) for each in secrets)


def shown_status(config: UserLLMConfig, *, keys: frozenset[str]) -> str:
    """What a person is told. A config whose secret no key at hand opens says so before anybody tries it, and no longer than that.

    keys: the organization's data keys that the present KEK opens (`tenancy.keys.openable_keys`).
    """
    status = config.shown_status
    if status in {ConfigStatus.DISABLED, ConfigStatus.MISSING_KEY}:
        return status
    if not is_readable(config, keys):
        return ConfigStatus.UNREADABLE.value
    return ConfigStatus.UNTESTED.value if status == ConfigStatus.UNREADABLE else status
