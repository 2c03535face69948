"""Keeps credentials out of logs, tracebacks and error reports of every process: the secrets that are open, and what looks like one."""

from __future__ import annotations

from llmconfig.llm import mask_open
from routekit.scrubbing.patterns import mask_patterns

__all__ = ["mask"]


def mask(text: str) -> str:
    """text without the secrets that this process has open, in any spelling, and without what has the shape of a credential."""
    return mask_patterns(mask_open(text))
