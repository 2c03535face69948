"""What OpenAI says of names of functions, on both of its wires."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST_ID = 64
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def objection_to_names(names: Iterable[str], place: str) -> Iterator[str]:
    for at, name in enumerate(names):
        if not _NAME.fullmatch(name):
            yield (
                f"Invalid '{place.format(at)}': string does not match pattern. Expected a string that matches the pattern "
                "'^[a-zA-Z0-9_-]+$'."
            )
