"""What OpenAI's models take, told by their names: whether they reason, the words of effort that they know, and schemas.

https://developers.openai.com/api/docs/guides/reasoning; a word that a model does not know is answered with 400 `unsupported_value`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from llmconfig.llm import EFFORTS

if TYPE_CHECKING:
    from llmconfig.llm import Effort

# These answer 400 to the include of encrypted reasoning: "Encrypted content is not supported with this model." (pydantic-ai#2865)
_WITHOUT_REASONING: Final = re.compile(r"(.*/)?(ft:)?(chatgpt-|gpt-3|gpt-4)|(.*/)?gpt-5(\.\d+)?-chat")
_WITHOUT_SCHEMAS: Final = re.compile(r"(.*/)?(ft:)?(chatgpt-4o|gpt-3|gpt-4(?![o.\d])|o1-(mini|preview))")
_THREE: Final[tuple[Effort, ...]] = ("low", "medium", "high")
_FIVE: Final = re.compile(r"(?:.*/)?gpt-(\d{1,2})(?:\.(\d{1,2}))?(?![\d.])(.*)")


def reasons(model: str) -> bool:
    """Whether a model thinks before it answers; a name that nobody knows may."""
    return not _WITHOUT_REASONING.match(model)


def answers_by_schema(model: str) -> bool:
    return not _WITHOUT_SCHEMAS.match(model)


@lru_cache(maxsize=256)
def efforts(model: str) -> tuple[Effort, ...] | None:
    """In rising order; None where the name does not tell."""
    if re.match(r"(.*/)?(o\d|gpt-oss)", model):
        return _THREE
    found = _FIVE.match(model)
    if found is None or int(found[1]) < 5:
        return None
    version, variant = (int(found[1]), int(found[2] or 0)), found[3]
    if variant.startswith("-pro"):
        return ("high",) if version == (5, 0) else ("medium", "high", "xhigh")
    if version == (5, 0):
        return _THREE if "codex" in variant else ("minimal", *_THREE)
    if version == (5, 1) and not variant.startswith("-codex-max"):
        known: tuple[Effort, ...] = _THREE
    else:
        known = (*_THREE, "xhigh") if version < (5, 6) else (*_THREE, "xhigh", "max")
    return known if "codex" in variant else ("none", *known)


def spoken(model: str) -> tuple[Effort, ...]:
    """The same, and every word where the name does not tell: the vendor is the authority."""
    return efforts(model) or EFFORTS
