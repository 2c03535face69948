"""The MAC that chains audit events: each covers its own content and the MAC before it.

Its key is derived from a root of its own, never from an organization's data key: what is shredded with an organization takes
no proof with it.
"""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any, Final

from llmconfig.vault.cipher import derive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmconfig.vault.keys import DataKey

FIRST: Final = "0" * 64
"""What the first event of a chain follows."""


def chain_key(root: DataKey, chain: str) -> bytes:
    """The 32-byte key of one chain: enough to verify it, and of no use for any other."""
    return derive(root.material, f"v1|audit|{chain}".encode(), 32)


def mac(key: bytes, previous: str, content: Mapping[str, Any]) -> str:
    """64 hex digits over `previous` and the canonical JSON of `content`. Numbers in it are integers: a float is no canonical text."""
    canonical = json.dumps([previous, content], sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hmac.digest(key, canonical.encode(), "sha256").hex()
