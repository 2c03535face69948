"""What a fake vendor is told to answer, and what it recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Call:
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""

    @property
    def json(self) -> str:
        return json.dumps(self.arguments)


@dataclass(frozen=True)
class Tokens:
    """As the vendors count: Anthropic sends the buckets apart, OpenAI's input includes what was cached."""

    input: int = 25
    output: int = 15
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Answer:
    """One streamed answer: thinking, then text, then calls.

    text may be a sequence: one delta each. A string is split into words. pace: seconds between deltas.
    The counts are in SSE events: cut_after aborts the connection, end_after ends the body cleanly without the terminal
    event, hang_after sends nothing more. error: sent in-band in place of the ending. finish: the vendor's own stop word.
    headers: beside those of every answer.
    """

    text: str | Sequence[str] = ""
    thinking: str = ""
    calls: Sequence[Call] = ()
    tokens: Tokens = Tokens()
    pace: float = 0.0
    cut_after: int | None = None
    end_after: int | None = None
    hang_after: int | None = None
    error: Mapping[str, Any] | None = None
    finish: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def deltas(self) -> Sequence[str]:
        return split(self.text) if isinstance(self.text, str) else self.text


@dataclass(frozen=True)
class Failure:
    """An HTTP error instead of a stream. body None: the vendor's own error body for this status."""

    status: int
    body: Mapping[str, Any] | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Silence:
    """The request is read and never answered, not even with headers."""


Scripted: TypeAlias = Answer | Failure | Silence


@dataclass
class Recorded:
    method: str
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any] | None
    events_sent: int = 0
    outcome: str = ""  # finished, cut, left (the client closed first)


def split(text: str) -> list[str]:
    """Words with the space before them, as tokens look."""
    words = text.split(" ")
    return [words[0], *(" " + word for word in words[1:])] if text else []


def plausible_calls(tools: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Call]:
    """Two calls, tools that require nothing first. tools: (name, JSON Schema of the arguments)."""
    ranked = sorted(tools, key=lambda tool: len(tool[1].get("required", ())))
    return [Call(name, plausible_arguments(schema)) for name, schema in ranked[:2]]


def plausible_arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    return {name: _plausible(properties.get(name, {})) for name in schema.get("required", ())}


def _plausible(schema: Mapping[str, Any]) -> Any:
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "string")
    return {"integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}, "null": None}.get(kind, "example")
