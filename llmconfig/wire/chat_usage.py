"""The usage of a Chat chunk in disjoint buckets, through the spellings of the servers that imitate OpenAI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmconfig.llm import Usage
from llmconfig.wire.decoding import count, disjoint_input, optional_object

if TYPE_CHECKING:
    from collections.abc import Mapping


def usage_of(counts: Mapping[str, Any]) -> Usage:
    """prompt_tokens includes what was read from and written to the cache; completion_tokens should include reasoning."""
    prompt, details = count(counts.get("prompt_tokens")), optional_object(counts.get("prompt_tokens_details"))
    read, written = count(details.get("cached_tokens")), count(details.get("cache_write_tokens"))
    if read is None:
        read = count(counts.get("prompt_cache_hit_tokens"))  # DeepSeek
    reasoning = count(optional_object(counts.get("completion_tokens_details")).get("reasoning_tokens"))
    return Usage(
        input_tokens=disjoint_input(prompt, read, written),
        output_tokens=_output(counts, prompt, reasoning),
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
        audio_tokens=count(details.get("audio_tokens")) or None,
    )


def _output(counts: Mapping[str, Any], prompt: int | None, reasoning: int | None) -> int | None:
    """Where the server's own total shows that reasoning was counted apart (xAI), it is added."""
    completion = count(counts.get("completion_tokens"))
    if not reasoning or completion is None or prompt is None:
        return completion
    apart = count(counts.get("total_tokens")) == prompt + completion + reasoning
    return completion + reasoning if apart else completion
