"""Whether a key is saved twice in one organization, told by fingerprints: nothing is opened for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmconfig.models import UserLLMConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmconfig.tenancy.caller import Caller


@dataclass(frozen=True, slots=True)
class SameKey:
    """configs: those with the same key that the caller may see. elsewhere: whether it is saved by somebody else too; whose is not said."""

    configs: Sequence[UserLLMConfig]
    elsewhere: bool


def same_key_as(config: UserLLMConfig, caller: Caller) -> SameKey:
    """One query; none for a config without a fingerprint."""
    if not config.api_key_fingerprint:
        return SameKey((), False)
    same = UserLLMConfig.objects.filter(organization=config.organization_id, api_key_fingerprint=config.api_key_fingerprint)
    others = list(same.exclude(pk=config.pk).order_by("-created_at"))
    seen = [each for each in others if each.owner_id in (None, caller.user.pk)]
    return SameKey(seen, len(seen) < len(others))
