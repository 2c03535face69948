"""What the requests of runs say of a config: a key that is refused is marked, one that works is cleared. Written only on a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Q

from llmconfig.models import ConfigStatus, UserLLMConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

DEFINITIVE: Final[Mapping[str, ConfigStatus]] = {
    "authentication_failed": ConfigStatus.INVALID,
    "permission_denied": ConfigStatus.INVALID,
    "quota_exhausted": ConfigStatus.QUOTA_EXHAUSTED,
}
"""Kinds of errors that a vendor means: they are about the key, and trying again does not help."""
MAX_DETAIL: Final = 1000


def note_outcome(*, config: UUID, secret_version: int, error_kind: str = "", detail: str = "") -> bool:
    """Of one request with the key of this version; error_kind "" when it was answered. Whether the status changed.

    One UPDATE that finds no row, and so locks none, as long as things are as they were.
    """
    status = DEFINITIVE.get(error_kind) if error_kind else ConfigStatus.VALID
    if status is None:
        return False
    same_key = UserLLMConfig.objects.filter(pk=config, secret_version=secret_version)
    changed = same_key.filter(~Q(status=status))
    return bool(changed.update(status=status, status_detail=detail[:MAX_DETAIL] if error_kind else ""))
