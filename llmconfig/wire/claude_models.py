"""What Claude's models take, told by their names: how they are asked to think, and whether they answer by a schema.

https://platform.claude.com/docs/en/build-with-claude/thinking, …/preserved-thinking and …/structured-outputs; what each model
refuses was measured in lidge-jun/opencodex#65 and ex-machina-co/opencode-anthropic-auth#159.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llmconfig.llm import Effort

_NAME: Final = re.compile(r"claude-(?:(\d{1,2})(?:-(\d{1,2}))?-)?([a-z]+)(?:-(\d{1,2})(?!\d)(?:-(\d{1,2})(?!\d))?)?")
NEWEST: tuple[int, int] = (99, 0)
_NEVER_SILENT: Final = frozenset({"fable", "mythos"})
_THREE: Final[tuple[Effort, ...]] = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Claude:
    """adaptive, budgets, silence: the `thinking.type`s `adaptive`, `enabled` and `disabled` are taken. efforts: in rising order.

    output: the longest answer in tokens, thinking included. schemas: `output_config.format` is taken.
    binds: its thoughts are bound to all that was said before them, system text and tools included.
    """

    adaptive: bool
    budgets: bool
    silence: bool
    efforts: tuple[Effort, ...]
    output: int
    schemas: bool
    binds: bool

    @property
    def thinks(self) -> bool:
        return self.adaptive or self.budgets


IMITATOR: Final = Claude(adaptive=False, budgets=True, silence=True, efforts=(), output=64_000, schemas=False, binds=False)
"""Servers that speak the Messages API with models of others know thinking as it was first: enabled or disabled (claude-code#29531)."""


@lru_cache(maxsize=256)
def claude(model: str) -> Claude:
    """A name that says no version is of the newest models."""
    found = _NAME.search(model)
    if found is None:
        return IMITATOR
    line, version = found[3], _version(found)
    return Claude(
        adaptive=version >= (4, 6),
        budgets=(3, 7) <= version <= (4, 6),
        silence=line not in _NEVER_SILENT,
        efforts=_efforts(line, version),
        output=32_000 if line == "opus" and version < (4, 5) else 64_000,
        schemas=version >= (4, 5),
        binds=(5, 0) < version < NEWEST,
    )


def _version(found: re.Match[str]) -> tuple[int, int]:
    major: str | None = found[1] or found[4]
    minor: str | None = found[2] or found[5]
    return (int(major), int(minor or 0)) if major else NEWEST


def _efforts(line: str, version: tuple[int, int]) -> tuple[Effort, ...]:
    if version >= (4, 7):
        return *_THREE, "xhigh", "max"
    if version >= (4, 6):
        return *_THREE, "max"
    return _THREE if (line, version) == ("opus", (4, 5)) else ()
