"""The neutral conversation: messages made of parts. Pure values; identity and time are storage concerns.

A provider's own data (thinking signatures, encrypted reasoning, raw call ids) rides along as `ProviderData`, opaque
and tagged with who made it. A wire sends it back verbatim to the same provider and model, and drops it for any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeAlias

JSONObject: TypeAlias = Mapping[str, Any]
Role: TypeAlias = Literal["user", "assistant", "tool"]
MediaKind: TypeAlias = Literal["image", "document", "audio", "video"]
Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
EFFORTS: tuple[Effort, ...] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


class FinishReason(StrEnum):
    """Why the model stopped; the provider's own word is kept beside it as `raw`."""

    STOP = "stop"
    TOOL_CALLS = "tool_calls"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ProviderData:
    """Opaque to everyone but the wire that made it. `data` is JSON."""

    provider: str
    model: str
    data: JSONObject

    def belongs_to(self, provider: str, model: str) -> bool:
        return self.provider == provider and self.model == model


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    provider_data: ProviderData | None = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """Reasoning shown by the model. `text` may be empty when the provider only returns it sealed."""

    text: str
    provider_data: ProviderData | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """Bytes of an image, document, audio or video.

    uploaded: the provider's own name for these bytes (a file id, a URI) once a client has uploaded them there; empty: sent inline.
    It lives as long as one request and is never stored.
    """

    kind: MediaKind
    media_type: str
    data: bytes = field(repr=False)
    name: str = ""
    uploaded: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model asks for.

    id: our own, a UUID's text; the provider's raw id lies in `provider_data.data["id"]`.
    name: the neutral tool name, `service__tool`.
    malformed: the raw argument text when it was not a JSON object, "" when the answer was cut before it began; `arguments` is then
    empty and the loop answers with an error.
    """

    id: str
    name: str
    arguments: JSONObject
    malformed: str | None = None
    provider_data: ProviderData | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    tool_call_id: str
    parts: tuple[Text | Media, ...]
    is_error: bool = False


Part: TypeAlias = Text | Thinking | Media | ToolCall | ToolResult


@dataclass(frozen=True, slots=True)
class Message:
    """role `user`: Text, Media · `assistant`: Text, Thinking, ToolCall · `tool`: ToolResult, in call order."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


@dataclass(frozen=True, slots=True)
class Tool:
    """What the model is told of a tool. `input_schema` is JSON Schema 2020-12 and is never mutated: a wire reduces a copy."""

    name: str
    description: str
    input_schema: JSONObject


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How much a model may think before it answers, in either of the two ways vendors ask for it; a wire translates to its own.

    effort: `none` switches thinking off. budget_tokens: 0 does. Both None: the model's own default.
    """

    effort: Effort | None = None
    budget_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of one model.

    max_output_tokens: None leaves the limit to the wire's default. options: the config's own settings, such as
    `temperature`, that a wire passes on where it knows them. output_schema: JSON Schema of an object that the answer's
    text shall be, as JSON. native_schema: whether this model answers by a schema; None leaves that to what its provider knows.
    inputs: the media that this model takes; None where nobody knows, and the wire alone decides.
    cache_key: requests with the same one share a beginning that the provider may have cached; opaque, of at most 64 characters.
    """

    model: str
    messages: tuple[Message, ...]
    system: str = ""
    tools: tuple[Tool, ...] = ()
    max_output_tokens: int | None = None
    options: JSONObject = field(default_factory=dict[str, Any])
    reasoning: Reasoning | None = None
    output_schema: JSONObject | None = None
    native_schema: bool | None = None
    inputs: frozenset[MediaKind] | None = None
    cache_key: str = ""
