"""Token counts in disjoint buckets. None means the provider did not say, which is not 0."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt.

    input_tokens excludes cache reads and writes; output_tokens includes reasoning; reasoning_tokens names that share.
    cache_write_1h_tokens is the share of cache_write_tokens that was written for an hour (Anthropic bills it apart), audio_tokens and
    cache_read_audio_tokens are those of input_tokens and cache_read_tokens that were sound (Google and OpenAI do).
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    cache_read_audio_tokens: int | None = None

    def updated(self, later: Usage) -> Usage:
        """The later report wins, field by field, where it says something: providers send cumulative counts."""
        return Usage(**{f.name: _latest(getattr(self, f.name), getattr(later, f.name)) for f in fields(self)})

    def __add__(self, other: Usage) -> Usage:
        """Sum of two attempts; unknown plus known is what is known."""
        return Usage(**{f.name: _sum(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)})

    @property
    def is_known(self) -> bool:
        return self.input_tokens is not None and self.output_tokens is not None


def _latest(earlier: int | None, later: int | None) -> int | None:
    return earlier if later is None else later


def _sum(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return a if b is None else b
    return a + b
