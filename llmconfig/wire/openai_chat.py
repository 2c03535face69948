"""OpenAI's Chat Completions as its many imitators speak it: a request to its body. `chat_stream` decodes its chunks.

https://developers.openai.com/api/docs/api-reference/chat
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from llmconfig.llm import Media, Message, Text, Thinking, ToolResult
from llmconfig.wire.answer_schema import NAME, is_strict
from llmconfig.wire.chat_dialect import PLAIN, Dialect, bridged
from llmconfig.wire.chat_stream import Decoder
from llmconfig.wire.decoding import objects
from llmconfig.wire.encoding import PDF, arguments_json, base64_text, data_url, media_type, numbers, result_text, sealed, takes
from llmconfig.wire.errors import error_from
from llmconfig.wire.history import repaired
from llmconfig.wire.names import ToolNames
from llmconfig.wire.openai_models import efforts, reasons
from llmconfig.wire.reasoning import effort_of
from llmconfig.wire.schema import fresh, function_tools

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llmconfig.llm import Effort, ModelRequest, Part, ProviderError

__all__ = ["ChatWire", "Decoder", "encode", "error_from"]

_AUDIO: Final = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}

_OPENAI: Final = frozenset({"openai", "azure_openai"})
"""Whose servers know all of OpenAI's fields; imitators may refuse a request for one that they do not know."""
_EFFORTS: Final[tuple[Effort, ...]] = ("none", "low", "medium", "high")
"""What imitators know; `none` is theirs, too."""


@dataclass(frozen=True, slots=True)
class ChatWire:
    """This wire as one vendor speaks it: what `providers.codec.Wire` asks for."""

    dialect: Dialect

    def encode(self, request: ModelRequest, *, provider: str) -> dict[str, Any]:
        return encode(request, provider=provider, dialect=self.dialect)

    def Decoder(self, request: ModelRequest, *, provider: str, label: str) -> Decoder:
        return Decoder(request, provider=provider, label=label, dialect=self.dialect)

    def error_from(self, status: int, body: bytes, headers: Mapping[str, str], *, label: str) -> ProviderError:
        return error_from(status, body, headers, label=label)


def encode(request: ModelRequest, *, provider: str, dialect: Dialect = PLAIN) -> dict[str, Any]:
    """The JSON body. Raises `InvalidRequest` for media that this wire cannot carry.

    Thinking is sent back in the dialects that say how: the servers have no common field for it, and some refuse their own.
    """
    history = repaired(request, provider=provider, carries=carries, seals=dialect.seals)
    names = ToolNames(request)
    body: dict[str, Any] = {"model": request.model, "stream": True, "stream_options": {"include_usage": True}}
    if request.tools:
        body["tools"] = function_tools(request, names)
    system = [{"role": "system", "content": request.system}] if request.system.strip() else []
    messages = [*system, *_messages(history, names, dialect.call_ids(history, request), dialect)]
    body["messages"] = bridged(messages) if dialect.is_mistral(request) else messages
    if request.max_output_tokens is not None:
        body["max_tokens"] = request.max_output_tokens
    if (schema := request.output_schema) is not None:
        shape = {"name": NAME, "schema": fresh(schema), "strict": is_strict(schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}
    if request.cache_key and provider in _OPENAI:
        body["prompt_cache_key"] = request.cache_key
    effort = effort_of(request.reasoning, efforts(request.model) or _EFFORTS) if reasons(request.model) else None
    body |= numbers(request.options, "temperature", "top_p") | ({"reasoning_effort": effort} if effort else {})
    return dialect.laid_over(body, request)


def _messages(history: Sequence[Message], names: ToolNames, ids: Mapping[str, str], dialect: Dialect) -> Iterator[dict[str, Any]]:
    """A `tool` message holds text only: what else the tools returned opens the user's next message, or makes one."""
    returned: list[dict[str, Any]] = []
    for message in (*history, None):
        if returned and (message is None or message.role == "assistant"):
            yield {"role": "user", "content": returned}
            returned = []
        match message:
            case Message("tool", parts):
                results = [part for part in parts if isinstance(part, ToolResult)]
                yield from ({"role": "tool", "tool_call_id": ids[part.tool_call_id], "content": result_text(part)} for part in results)
                returned = _returned(results)
            case Message("user"):
                yield {"role": "user", "content": _said(message, returned)}
                returned = []
            case Message():
                yield _answer(message, names, ids) | _thoughts(message, dialect)
            case _:
                pass


def _said(message: Message, returned: Sequence[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Plain text where it is only text: many servers know no lists."""
    if returned or any(isinstance(part, Media) for part in message.parts):
        return [*returned, *(_content(part) for part in message.parts)]
    return "\n\n".join(part.text for part in message.parts if isinstance(part, Text))


def _answer(message: Message, names: ToolNames, ids: Mapping[str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = {"role": "assistant", "content": message.text or None}
    if message.tool_calls:
        answer["tool_calls"] = [
            {"id": ids[call.id], "type": "function", "function": {"name": names.to_wire(call.name), "arguments": arguments_json(call)}}
            for call in message.tool_calls
        ]
    return answer


def _thoughts(message: Message, dialect: Dialect) -> dict[str, Any]:
    """What the model thought, in the field where it is wanted back."""
    thoughts = [part for part in message.parts if isinstance(part, Thinking)]
    match dialect.echo:
        case "reasoning_content" if thoughts or message.tool_calls:
            return {dialect.echo: "".join(part.text for part in thoughts)}
        case "reasoning_details" if thoughts:
            return {dialect.echo: [fresh(detail) for part in thoughts for detail in objects(sealed(part, dialect.echo))]}
        case _:
            return {}


def _returned(results: Sequence[ToolResult]) -> list[dict[str, Any]]:
    media = [part for result in results for part in result.parts if isinstance(part, Media)]
    return [_text("The tools returned:"), *map(_media, media)] if media else []


def _content(part: Part) -> dict[str, Any]:
    return _media(part) if isinstance(part, Media) else _text(part.text if isinstance(part, Text) else "")


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def carries(request: ModelRequest, part: Media) -> bool:
    if not takes(request, part):
        return False
    match part.kind:
        case "image":
            return True
        case "document":
            return media_type(part) == PDF
        case "audio":
            return media_type(part) in _AUDIO
        case _:
            return False


def _media(part: Media) -> dict[str, Any]:
    match part.kind:
        case "image":
            return {"type": "image_url", "image_url": {"url": data_url(part)}}
        case "document":
            return {"type": "file", "file": {"filename": part.name or "document.pdf", "file_data": data_url(part)}}
        case _:
            return {"type": "input_audio", "input_audio": {"data": base64_text(part), "format": _AUDIO[media_type(part)]}}
