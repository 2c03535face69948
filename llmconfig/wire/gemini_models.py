"""What the name of a Gemini model tells of how it wants to be asked: Google's API refuses what a generation does not know.

https://ai.google.dev/gemini-api/docs/thinking and …/thought-signatures
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from llmconfig.wire.reasoning import budget_of, effort_of

if TYPE_CHECKING:
    from llmconfig.llm import Effort, Reasoning

_VERSION: Final = re.compile(r"gemini-(?:(?:pro|flash|live)-)?(\d+)(?:\.(\d+))?")
_OTHER_TRADES: Final = re.compile(r"image|banana|tts|live|audio|embedding")
"""Parts of names of models that speak, draw or measure; they refuse to be told how to think."""
_LEVELS: Final[tuple[Effort, ...]] = ("low", "medium", "high")
_FEWER_LEVELS: Final = re.compile(r"gemini-3-pro")
_MORE_LEVELS: Final = re.compile(r"gemini-3-flash|gemini-3\.1-flash-lite")
_NEWEST: Final = (9, 9)
"""An alias such as `gemini-flash-latest`, a deployment or a tuned model: taken for one of today's."""
_OLDEST: Final = (0, 0)


@dataclass(frozen=True, slots=True)
class Traits:
    """thinks: takes a `thinkingConfig`. levels: the words it takes there; where there are none it takes a budget instead.

    budgets: the least and the most, in tokens. rests: a budget of 0 switches its thinking off. modern: generation 3 and up, which
    demands a signature with each step's first call, takes media within the results of functions, and a schema beside functions.
    """

    thinks: bool
    levels: tuple[Effort, ...]
    budgets: tuple[int, int]
    rests: bool
    modern: bool


@lru_cache(maxsize=256)
def traits_of(model: str) -> Traits:
    name = model.rpartition("/")[2].lower()
    version = _version(name)
    modern = version >= (3, 0)
    levels: tuple[Effort, ...] = ()
    if modern:
        levels = ("low", "high") if _FEWER_LEVELS.match(name) else ("minimal", *_LEVELS) if _MORE_LEVELS.match(name) else _LEVELS
    return Traits(
        thinks=version >= (2, 5) and name.startswith("gemini-") and not _OTHER_TRADES.search(name),
        levels=levels,
        budgets=(128, 32768) if "pro" in name else (512, 24576) if "lite" in name else (1, 24576),
        rests="pro" not in name,
        modern=modern,
    )


def _version(name: str) -> tuple[int, int]:
    found = _VERSION.match(name)
    if found:
        return int(found[1]), int(found[2] or 0)
    return _OLDEST if name.startswith(("gemma", "learnlm")) else _NEWEST


def thinking_config(model: str, reasoning: Reasoning | None) -> dict[str, Any]:
    """Empty for a model that knows no such setting. Thoughts are shown wherever thinking was not switched off; they cost nothing more."""
    traits = traits_of(model)
    if not traits.thinks:
        return {}
    budget = budget_of(reasoning)
    config: dict[str, Any] = {} if budget == 0 else {"includeThoughts": True}
    if traits.levels:
        effort = effort_of(reasoning, traits.levels)
        return config | ({"thinkingLevel": effort.upper()} if effort else {})
    if budget is None:
        return config
    least, most = traits.budgets
    return config | {"thinkingBudget": 0 if budget == 0 and traits.rests else min(max(budget, least), most)}
