"""Anthropic's Messages API: a request to its body, its event stream to neutral events.

https://platform.claude.com/docs/en/api/messages and …/build-with-claude/streaming
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from llmconfig.llm import (
    BlockData,
    FinishReason,
    Media,
    Message,
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
from llmconfig.wire.decoding import StreamDecoder, count, index_of, object_of, optional_object, text_of
from llmconfig.wire.encoding import PDF, base64_text, media_type, sealed, takes, words
from llmconfig.wire.errors import error_event, error_from
from llmconfig.wire.history import repair
from llmconfig.wire.names import ToolNames, call_ids
from llmconfig.wire.schema import fresh, parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmconfig.llm import ModelRequest, Part, StreamEvent

__all__ = ["Decoder", "carries", "encode", "error_from"]

DEFAULT_MAX_TOKENS: Final = 8192
_IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_SEALS: Final = frozenset({"signature", "redacted"})

_REASONS: Final[Mapping[str, FinishReason]] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "tool_use": FinishReason.TOOL_CALLS,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "refusal": FinishReason.REFUSAL,
}


def encode(request: ModelRequest, *, provider: str) -> dict[str, Any]:
    """The JSON body. Raises `InvalidRequest` for media that this wire cannot carry.

    Three cache breakpoints: the system text, the tools and the last user turn, so that each step of a run reads what the last one wrote.
    """
    history = repair(request.messages, provider=provider, model=request.model, seals=_SEALS, carries=lambda part: carries(request, part))
    names = ToolNames(request)
    thinking = _thinking(request, history)
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_output_tokens or DEFAULT_MAX_TOKENS + thinking.get("budget_tokens", 0),
        "stream": True,
    }
    if request.system.strip():
        body["system"] = [_cached({"type": "text", "text": request.system})]
    if request.tools:
        body["tools"] = [
            {"name": names.to_wire(tool.name), "description": tool.description, "input_schema": parameters(tool.input_schema)}
            for tool in request.tools
        ]
        _cached(body["tools"][-1])
    body["messages"] = _turns(history, names)
    if thinking:
        body["thinking"] = thinking
    if effort := words(request.options, "reasoning_effort"):
        body["output_config"] = {"effort": effort["reasoning_effort"]}
    return body


def _thinking(request: ModelRequest, history: Sequence[Message]) -> dict[str, Any]:
    """`thinking_budget` tokens; 0 switches thinking off.

    Thinking cannot begin between a call and its result: where another model made the call, this answer goes without.
    """
    budget = request.options.get("thinking_budget")
    if not isinstance(budget, int) or isinstance(budget, bool):
        return {}
    if budget <= 0:
        return {"type": "disabled"}
    if history and history[-1].role == "tool" and not isinstance(history[-2].parts[0], Thinking):
        return {}
    return {"type": "enabled", "budget_tokens": budget}


def _cached(block: dict[str, Any]) -> dict[str, Any]:
    block["cache_control"] = {"type": "ephemeral"}
    return block


def _turns(history: Sequence[Message], names: ToolNames) -> list[dict[str, Any]]:
    """Tool results are blocks of the user's turn, ahead of what the user says next."""
    ids = call_ids(history)
    turns: list[dict[str, Any]] = []
    for message in history:
        role = "assistant" if message.role == "assistant" else "user"
        blocks = [_block(part, names, ids) for part in message.parts]
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    last = next((turn for turn in reversed(turns) if turn["role"] == "user"), None)
    if last:
        _cached(last["content"][-1])
    return turns


def _block(part: Part, names: ToolNames, ids: Mapping[str, str]) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Thinking():
            return _echo(part)
        case ToolCall():
            return {"type": "tool_use", "id": ids[part.id], "name": names.to_wire(part.name), "input": fresh(part.arguments)}
        case ToolResult():
            return _result(part, ids[part.tool_call_id])
        case Media():
            return _media(part)


def _echo(part: Thinking) -> dict[str, Any]:
    """Byte for byte what came, or the signature no longer fits. The repaired history holds sealed thoughts only."""
    redacted, signature = sealed(part, "redacted"), sealed(part, "signature")
    if redacted:
        return {"type": "redacted_thinking", "data": redacted}
    return {"type": "thinking", "thinking": part.text, "signature": signature}


def _result(result: ToolResult, call_id: str) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id}
    if result.parts:
        block["content"] = [_result_part(part) for part in result.parts]
    if result.is_error:
        block["is_error"] = True
    return block


def _result_part(part: Text | Media) -> dict[str, Any]:
    return _media(part) if isinstance(part, Media) else {"type": "text", "text": part.text}


def carries(request: ModelRequest, part: Media) -> bool:
    kind = media_type(part)
    known = kind in _IMAGES if part.kind == "image" else part.kind == "document" and kind == PDF
    return known and takes(request, part)


def _media(part: Media) -> dict[str, Any]:
    if part.uploaded:
        return {"type": part.kind, "source": {"type": "file", "file_id": part.uploaded}}
    return {"type": part.kind, "source": {"type": "base64", "media_type": media_type(part), "data": base64_text(part)}}


class Decoder(StreamDecoder):
    """message_start, blocks of start/delta/stop, message_delta with the cumulative usage, message_stop: the terminal event."""

    __slots__ = ("_inputs", "_started", "_stop_reason")

    def __init__(self, request: ModelRequest, *, provider: str, label: str = "The provider") -> None:
        super().__init__(request, provider=provider, label=label)
        self._started = False
        self._stop_reason = ""
        self._inputs: dict[int, str | None] = {}  # open and closed calls; a whole input that came with the start, until a delta comes

    def _on(self, event: dict[str, Any], out: list[StreamEvent]) -> None:
        match event.get("type"):
            case "content_block_delta":
                self._on_delta(index_of(event["index"]), event["delta"], out)
            case "content_block_start":
                self._on_block_start(index_of(event["index"]), event["content_block"], out)
            case "content_block_stop":
                self._on_block_stop(index_of(event["index"]), out)
            case "message_start":
                self._on_message_start(object_of(event["message"]), out)
            case "message_delta":
                self._stop_reason = text_of(optional_object(event.get("delta")).get("stop_reason")) or self._stop_reason
                _report(event.get("usage"), out)
            case "message_stop":
                self._finish(out, self._stop_reason, _REASONS, called=bool(self._inputs))
            case "error":
                raise error_event(event, label=self._label)
            case _:
                pass  # ping, and events of the future

    def _on_delta(self, index: int, delta: dict[str, Any], out: list[StreamEvent]) -> None:
        kind = delta["type"]
        if kind == "text_delta":
            if text := text_of(delta["text"]):
                out.append(TextDelta(index, text))
        elif kind == "thinking_delta":
            if thought := text_of(delta["thinking"]):
                out.append(ThinkingDelta(index, thought))
        elif kind == "input_json_delta":
            if index in self._inputs and (piece := text_of(delta["partial_json"])):
                self._inputs[index] = None
                out.append(ToolCallDelta(index, arguments=piece))
        elif kind == "signature_delta" and (signature := text_of(delta["signature"])):
            out.append(BlockData(index, "thinking", {"signature": signature}))

    def _on_message_start(self, message: dict[str, Any], out: list[StreamEvent]) -> None:
        if self._started:
            raise StreamInterrupted(f"{self._label} began a second answer in the same stream.")
        self._started = True
        _report(message.get("usage"), out)

    def _on_block_start(self, index: int, block: dict[str, Any], out: list[StreamEvent]) -> None:
        match block.get("type"):
            case "text":
                if text := text_of(block.get("text")):
                    out.append(TextDelta(index, text))
            case "thinking":
                if thought := text_of(block.get("thinking")):
                    out.append(ThinkingDelta(index, thought))
                if signature := text_of(block.get("signature")):
                    out.append(BlockData(index, "thinking", {"signature": signature}))
            case "redacted_thinking":
                out.append(BlockData(index, "thinking", {"redacted": text_of(block["data"])}))
            case "tool_use":
                whole = optional_object(block.get("input"))
                self._inputs[index] = json.dumps(whole, ensure_ascii=False) if whole else None
                out.append(ToolCallDelta(index, self._names.to_neutral(text_of(block["name"])), "", text_of(block.get("id"))))
            case _:
                pass  # server tools and blocks of the future: nothing of ours

    def _on_block_stop(self, index: int, out: list[StreamEvent]) -> None:
        if whole := self._inputs.get(index):
            self._inputs[index] = None
            out.append(ToolCallDelta(index, arguments=whole))


def _report(usage: object, out: list[StreamEvent]) -> None:
    """The first report comes with the start, so that a cancelled answer still has its input counted."""
    counts = optional_object(usage)
    if counts:
        out.append(UsageReported(_usage(counts)))


def _usage(counts: Mapping[str, Any]) -> Usage:
    """Disjoint as it comes: input_tokens excludes both cache buckets, output_tokens includes thinking."""
    return Usage(
        input_tokens=count(counts.get("input_tokens")),
        output_tokens=count(counts.get("output_tokens")),
        cache_read_tokens=count(counts.get("cache_read_input_tokens")),
        cache_write_tokens=count(counts.get("cache_creation_input_tokens")),
        cache_write_1h_tokens=count(optional_object(counts.get("cache_creation")).get("ephemeral_1h_input_tokens")),
        reasoning_tokens=count(optional_object(counts.get("output_tokens_details")).get("thinking_tokens")),
    )
