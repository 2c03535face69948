"""The stream of Anthropic's Messages API: its events to neutral ones. `anthropic_messages` encodes.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from llmconfig.llm import (
    BlockData,
    FinishReason,
    StreamInterrupted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Usage,
    UsageReported,
)
from llmconfig.wire.decoding import StreamDecoder, count, index_of, object_of, optional_object, text_of
from llmconfig.wire.errors import error_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmconfig.llm import ModelRequest, StreamEvent

EXPLANATION: Final = -1
"""The block of what the API itself says about a refusal."""

_REASONS: Final[Mapping[str, FinishReason]] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "tool_use": FinishReason.TOOL_CALLS,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "refusal": FinishReason.REFUSAL,
}


class Decoder(StreamDecoder):
    """message_start, blocks of start/delta/stop, message_delta with the cumulative usage, message_stop: the terminal event."""

    __slots__ = ("_inputs", "_said", "_started", "_stop_reason")

    def __init__(self, request: ModelRequest, *, provider: str, label: str = "The provider") -> None:
        super().__init__(request, provider=provider, label=label)
        self._started = self._said = False
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
                self._on_message_delta(optional_object(event.get("delta")), out)
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
                self._said = True
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

    def _on_message_delta(self, delta: dict[str, Any], out: list[StreamEvent]) -> None:
        """A refusal that says nothing may be explained here: people then read the explanation."""
        self._stop_reason = text_of(delta.get("stop_reason")) or self._stop_reason
        explained = text_of(optional_object(delta.get("stop_details")).get("explanation"))
        if explained and not self._said:
            self._said = True
            out.append(TextDelta(EXPLANATION, explained))

    def _on_block_start(self, index: int, block: dict[str, Any], out: list[StreamEvent]) -> None:
        self._begun = True
        match block.get("type"):
            case "text":
                if text := text_of(block.get("text")):
                    self._said = True
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
