"""The append script: its text, its digest, and what its replies mean."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("append.lua").read_text(encoding="utf-8")
SHA: Final = hashlib.sha1(SOURCE.encode(), usedforsecurity=False).hexdigest()

STALE: Final = -1


def refused_at(reply: int) -> int | None:
    """The last seq stored when the reply refuses a batch that does not follow it, else None."""
    return -2 - reply if reply <= -2 else None
