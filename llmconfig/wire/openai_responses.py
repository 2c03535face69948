"""OpenAI's Responses API: a request to its body, its event stream to neutral events.

Stateless: nothing is stored at the provider, reasoning comes and goes encrypted.
https://developers.openai.com/api/docs/api-reference/responses and …/responses-streaming
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llmconfig.llm import (
    BlockData,
    FinishReason,
    Media,
    StreamInterrupted,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
    UsageReported,
)
from llmconfig.wire.answer_schema import NAME, is_strict
from llmconfig.wire.decoding import StreamDecoder, count, disjoint_input, index_of, object_of, objects, optional_object, text_of
from llmconfig.wire.encoding import PDF, arguments_json, data_url, media_type, numbers, result_text, sealed, takes, words
from llmconfig.wire.errors import error_event, error_from
from llmconfig.wire.history import repaired
from llmconfig.wire.names import ToolNames, call_ids
from llmconfig.wire.openai_models import reasons, spoken
from llmconfig.wire.reasoning import effort_of
from llmconfig.wire.schema import fresh, parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llmconfig.llm import Message, ModelRequest, Part, StreamEvent

__all__ = ["Decoder", "carries", "encode", "error_from"]

ENCRYPTED_REASONING: Final = "reasoning.encrypted_content"
_SEALS: Final = frozenset({"encrypted_content"})
_ECHOED: Final = ("id", "summary", "content", "encrypted_content")

_REASONS: Final[Mapping[str, FinishReason]] = {
    "completed": FinishReason.STOP,
    "refusal": FinishReason.REFUSAL,
    "max_output_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "incomplete": FinishReason.LENGTH,  # a gateway that does not say why
}


def encode(request: ModelRequest, *, provider: str) -> dict[str, Any]:
    """The JSON body. Raises `InvalidRequest` for media that this wire cannot carry.

    The option `encrypted_reasoning` says whether the model can seal its reasoning, for a deployment whose name hides which model it is.
    """
    history = repaired(request, provider=provider, carries=carries, seals=_SEALS)
    names = ToolNames(request)
    stated = request.options.get("encrypted_reasoning")
    thinks = stated if isinstance(stated, bool) else reasons(request.model)
    body: dict[str, Any] = {"model": request.model, "stream": True, "store": False}
    if request.cache_key:
        body["prompt_cache_key"] = request.cache_key
    body |= words(request.options, "prompt_cache_retention")
    if thinks:
        body["include"] = [ENCRYPTED_REASONING]
    if request.system.strip():
        body["instructions"] = request.system
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": names.to_wire(tool.name),
                "description": tool.description,
                "parameters": parameters(tool.input_schema),
                "strict": False,
            }
            for tool in request.tools
        ]
    body["input"] = list(_items(history, names))
    if request.max_output_tokens is not None:
        body["max_output_tokens"] = request.max_output_tokens
    body |= numbers(request.options, "temperature", "top_p")
    if (schema := request.output_schema) is not None:
        shape = {"type": "json_schema", "name": NAME, "schema": fresh(schema), "strict": is_strict(schema)}
        body["text"] = {"format": shape}
    effort = effort_of(request.reasoning, spoken(request.model)) if thinks else None
    if effort:
        body["reasoning"] = {"effort": effort}
        if request.options.get("reasoning_summary") is True and effort != "none":
            body["reasoning"]["summary"] = "auto"
    return body


def _items(history: Sequence[Message], names: ToolNames) -> Iterator[dict[str, Any]]:
    """Reasoning, text and calls of an answer are items of their own, in the order in which they came: reasoning ahead of its follower."""
    ids = call_ids(history)
    for message in history:
        if message.role == "user":
            yield {"role": "user", "content": [_content(part) for part in message.parts]}
        else:
            yield from (_item(part, names, ids) for part in message.parts)


def _item(part: Part, names: ToolNames, ids: Mapping[str, str]) -> dict[str, Any]:
    match part:
        case Thinking():
            echoed = {key: sealed(part, key) for key in _ECHOED}
            return {"type": "reasoning", **{key: fresh(value) for key, value in echoed.items() if value is not None}}
        case ToolCall():
            return {"type": "function_call", "call_id": ids[part.id], "name": names.to_wire(part.name), "arguments": arguments_json(part)}
        case ToolResult():
            return {"type": "function_call_output", "call_id": ids[part.tool_call_id], "output": _output(part)}
        case _:
            phase = sealed(part, "phase") if isinstance(part, Text) else None
            return {"role": "assistant", "content": _content(part)["text"]} | ({"phase": phase} if phase else {})


def _output(result: ToolResult) -> str | list[dict[str, Any]]:
    media = [part for part in result.parts if isinstance(part, Media)]
    text = result_text(result)
    if not media:
        return text
    said = [{"type": "input_text", "text": text}] if text else []
    return said + [_media(part) for part in media]


def _content(part: Part) -> dict[str, Any]:
    if isinstance(part, Media):
        return _media(part)
    return {"type": "input_text", "text": part.text if isinstance(part, Text) else ""}


def carries(request: ModelRequest, part: Media) -> bool:
    return (part.kind == "image" or (part.kind == "document" and media_type(part) == PDF)) and takes(request, part)


def _media(part: Media) -> dict[str, Any]:
    if part.uploaded:
        return {"type": "input_file", "file_id": part.uploaded} if part.kind == "document" else _picture(file_id=part.uploaded)
    if part.kind == "image":
        return _picture(image_url=data_url(part))
    return {"type": "input_file", "filename": part.name or "document.pdf", "file_data": data_url(part)}


def _picture(**source: str) -> dict[str, Any]:
    return {"type": "input_image", "detail": "auto", **source}


class Decoder(StreamDecoder):
    """Typed events per output item; `response.completed` or `response.incomplete` is terminal, `response.failed` and `error` raise."""

    __slots__ = ("_argued", "_called", "_indices", "_refused", "_started")

    def __init__(self, request: ModelRequest, *, provider: str, label: str = "The provider") -> None:
        super().__init__(request, provider=provider, label=label)
        self._indices: dict[tuple[int, int], int] = {}  # (output item, content part) to block; an item of one block has part -1
        self._called: dict[int, str] = {}  # calls by output item: the name told so far
        self._argued: set[int] = set()
        self._refused = False
        self._started = False

    def _on(self, event: dict[str, Any], out: list[StreamEvent]) -> None:
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta" as kind:
                self._refused = self._refused or kind == "response.refusal.delta"
                index = self._index(index_of(event["output_index"]), index_of(event["content_index"]))
                out.append(TextDelta(index, text_of(event["delta"])))
            case "response.function_call_arguments.delta":
                self._on_arguments(index_of(event["output_index"]), text_of(event["delta"]), out)
            case "response.function_call_arguments.done" if event.get("output_index") not in self._argued:
                self._on_arguments(index_of(event["output_index"]), text_of(event.get("arguments")), out)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                out.append(ThinkingDelta(self._index(index_of(event["output_index"])), text_of(event["delta"])))
            case "response.reasoning_summary_part.added" if event.get("summary_index"):
                out.append(ThinkingDelta(self._index(index_of(event["output_index"])), "\n\n"))
            case "response.output_item.added" | "response.output_item.done" as kind:
                self._on_item(index_of(event["output_index"]), object_of(event["item"]), out, done=kind.endswith("done"))
            case _:
                self._on_response(event, out)

    def _on_response(self, event: dict[str, Any], out: list[StreamEvent]) -> None:
        match event.get("type"):
            case "response.created":
                if self._started:
                    raise StreamInterrupted(f"{self._label} began a second answer in the same stream.")
                self._started = True
            case "response.completed" | "response.incomplete" | "response.failed" as kind:
                failed = kind == "response.failed"
                response = optional_object(event.get("response")) if failed else object_of(event["response"])
                _report(response.get("usage"), out)
                if failed:
                    raise error_event(response.get("error") or event.get("error"), label=self._label)
                if not self._indices:  # a gateway that has only pretended to stream
                    for output, item in enumerate(objects(response.get("output"))):
                        self._on_item(output, item, out, done=True)
                self._finish(out, self._stop_reason(response), _REASONS, called=bool(self._called))
            case "error":
                raise error_event(event, label=self._label)
            case _:
                pass  # progress, and events of the future

    def _stop_reason(self, response: dict[str, Any]) -> str:
        reason = text_of(optional_object(response.get("incomplete_details")).get("reason")) or text_of(response.get("status"))
        return "refusal" if reason == "completed" and self._refused else reason

    def _on_item(self, output: int, item: dict[str, Any], out: list[StreamEvent], *, done: bool) -> None:
        self._begun = True
        match item.get("type"):
            case "function_call":
                self._on_call(output, item, out, done=done)
            case "reasoning" if done and item.get("encrypted_content"):
                echoed = {key: item[key] for key in _ECHOED if item.get(key) is not None}
                out.append(BlockData(self._index(output), "thinking", echoed))
            case "message" if done:
                self._on_message(output, item, out)
            case _:
                pass  # what has only begun, and items of tools that are not ours

    def _on_call(self, output: int, item: dict[str, Any], out: list[StreamEvent], *, done: bool) -> None:
        name = text_of(item.get("name"))
        if output not in self._called or name != self._called[output]:
            self._called[output] = name
            out.append(ToolCallDelta(self._index(output), self._names.to_neutral(name), "", text_of(item.get("call_id"))))
        if done and output not in self._argued:
            self._on_arguments(output, text_of(item.get("arguments")), out)

    def _on_arguments(self, output: int, piece: str, out: list[StreamEvent]) -> None:
        if piece:
            self._argued.add(output)
            out.append(ToolCallDelta(self._index(output), arguments=piece))

    def _on_message(self, output: int, item: dict[str, Any], out: list[StreamEvent]) -> None:
        """Texts that no delta carried, and the phase that newer models want to see again."""
        for position, part in enumerate(objects(item.get("content"))):
            text = text_of(part.get("text")) or text_of(part.get("refusal"))
            self._refused = self._refused or part.get("type") == "refusal"
            if text and (output, position) not in self._indices:
                out.append(TextDelta(self._index(output, position), text))
            if phase := text_of(item.get("phase")):
                out.append(BlockData(self._index(output, position), "text", {"phase": phase}))

    def _index(self, output: int, part: int = -1) -> int:
        return self._indices.setdefault((output, part), len(self._indices))


def _report(usage: object, out: list[StreamEvent]) -> None:
    counts = optional_object(usage)
    if not counts:
        return
    details = optional_object(counts.get("input_tokens_details"))
    read, written = count(details.get("cached_tokens")), count(details.get("cache_write_tokens"))
    out.append(
        UsageReported(
            Usage(
                input_tokens=disjoint_input(count(counts.get("input_tokens")), read, written),
                output_tokens=count(counts.get("output_tokens")),
                cache_read_tokens=read,
                cache_write_tokens=written,
                reasoning_tokens=count(optional_object(counts.get("output_tokens_details")).get("reasoning_tokens")),
            )
        )
    )
