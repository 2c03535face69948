"""The stream of Chat Completions, as OpenAI and its imitators send it: chunks to neutral events. `openai_chat` encodes.

https://developers.openai.com/api/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llmconfig.llm import BlockData, FinishReason, Overloaded, TextDelta, ThinkingDelta, UsageReported
from llmconfig.wire.chat_calls import ChatCalls
from llmconfig.wire.chat_dialect import PLAIN, Dialect
from llmconfig.wire.chat_thoughts import Details
from llmconfig.wire.chat_usage import usage_of
from llmconfig.wire.decoding import StreamDecoder, objects, optional_object, text_of
from llmconfig.wire.errors import error_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmconfig.llm import ModelRequest, StreamEvent

_REASONS: Final[Mapping[str, FinishReason]] = {
    "stop": FinishReason.STOP,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "refusal": FinishReason.REFUSAL,
    "eos": FinishReason.STOP,  # Together
    "eos_token": FinishReason.STOP,  # Hugging Face, as the next
    "stop_sequence": FinishReason.STOP,
    "model_length": FinishReason.LENGTH,  # Mistral
    "sensitive": FinishReason.CONTENT_FILTER,  # Z.ai
    "end_turn": FinishReason.STOP,  # Claude behind gateways that pass its words on, as the next
    "tool_use": FinishReason.TOOL_CALLS,
    "max_tokens": FinishReason.LENGTH,
}
_FAILED: Final = frozenset({"error", "insufficient_system_resource"})  # the latter is DeepSeek's


class Decoder(StreamDecoder):
    """Chunks with one choice; a `finish_reason`, then the usage, then `[DONE]`.

    The end is held back until the usage is in. A server that closes the stream without `[DONE]` is believed when it gave a
    `finish_reason` (`flush` then ends the answer); `[DONE]` alone, as a proxy adds it behind a broken stream, is not an end,
    unless the usage has come, which is sent at the real end only.

    A server that does not stream sends a `message` where a chunk has its `delta`: in one document, or in a stream of one chunk.
    """

    __slots__ = ("_blocks", "_by_message", "_calls", "_counted", "_details", "_echo", "_refused", "_stop_reason")

    def __init__(self, request: ModelRequest, *, provider: str, label: str = "The provider", dialect: Dialect = PLAIN) -> None:
        super().__init__(request, provider=provider, label=label)
        self._echo = dialect.echo
        self._details = Details()
        self._blocks: dict[str, int] = {}  # text, thinking and refusal to their block
        self._calls = ChatCalls(self._names)
        self._stop_reason = ""
        self._refused = False
        self._by_message = False
        self._counted = False

    @property
    def is_whole(self) -> bool:
        return self._done or bool(self._stop_reason)

    def _on(self, event: dict[str, Any], out: list[StreamEvent]) -> None:
        if event.get("error") or event.get("object") == "error":  # vLLM's older form
            if spent := optional_object(event.get("usage")):  # OpenRouter says what the failure has cost
                out.append(UsageReported(usage_of(spent)))
            raise error_event(event, label=self._label)
        choices = event.get("choices")
        if choices:  # null or empty in usage and filter chunks
            self._on_choice(choices[0], out)
        if counts := event.get("usage") or self._groq(event):
            usage = usage_of(optional_object(counts))
            out.append(UsageReported(usage))
            self._counted = bool(usage.output_tokens) and not (choices and _says_something(choices[0]))  # or it is a running count
            if not choices and self._stop_reason:
                self._end(out)

    def _groq(self, event: dict[str, Any]) -> object:
        """Groq counts, and says why it stops early, in a field of its own: https://console.groq.com/docs/api-reference#chat-create"""
        own = event.get("x_groq")
        if own is None:
            return None
        if error := optional_object(own).get("error"):
            raise error_event({"message": error} if isinstance(error, str) else error, label=self._label)
        return optional_object(own).get("usage")

    def _on_choice(self, choice: dict[str, Any], out: list[StreamEvent]) -> None:
        delta = choice.get("delta")
        if delta is None:  # as in Azure's asynchronous filter chunks
            delta = self._message(choice)
        if delta:
            if content := delta.get("content"):
                if type(content) is str:
                    out.append(TextDelta(self._block("text"), content))
                else:
                    self._on_content_list(content, out)
            thought = delta.get("reasoning_content") or delta.get("reasoning")  # some servers send both, with the same text
            if thought and isinstance(thought, str):
                out.append(ThinkingDelta(self._block("thinking"), thought))
            if self._echo == "reasoning_details" and (details := delta.get("reasoning_details")):
                self._on_details(objects(details), out)
            if refusal := delta.get("refusal"):
                self._refused = True
                out.append(TextDelta(self._block("refusal"), text_of(refusal)))
            if pieces := delta.get("tool_calls"):
                self._calls.add(objects(pieces), self._next_block, out)
        if reason := choice.get("finish_reason"):
            self._stop_reason = text_of(reason)

    def _message(self, choice: dict[str, Any]) -> dict[str, Any]:
        """In place of a delta; behind deltas it repeats them."""
        message = optional_object(choice.get("message"))
        self._by_message = self._by_message or bool(message and not self._blocks and not self._calls)
        return message if self._by_message else {}

    def _on_document(self, value: dict[str, Any], out: list[StreamEvent]) -> None:
        """It is whole, so that it needs no `finish_reason` to be believed, but something to say then."""
        choices = objects(value.get("choices"))
        if not choices or not optional_object(choices[0].get("message")):
            return
        self._on(value, out)
        if self._stop_reason or self._blocks or self._calls:
            self._end(out)

    def _on_content_list(self, content: object, out: list[StreamEvent]) -> None:
        """Some servers send a list of text and thinking parts."""
        for part in objects(content):
            if text := text_of(part.get("text")):
                out.append(TextDelta(self._block("text"), text))
            for thought in objects(part.get("thinking")):
                out.append(ThinkingDelta(self._block("thinking"), text_of(thought.get("text"))))

    def _on_details(self, pieces: list[dict[str, Any]], out: list[StreamEvent]) -> None:
        """The first is told at once, so that a thought without words has its place ahead of what follows; all of them at the end."""
        begun = bool(self._details)
        self._details.add(pieces)
        if self._details and not begun:
            out.append(BlockData(self._block("thinking"), "thinking", {self._echo: self._details.joined()}))

    def _on_done(self, out: list[StreamEvent]) -> None:
        if self._stop_reason or self._counted:
            self._end(out)

    def _at_end(self, out: list[StreamEvent]) -> None:
        if self._stop_reason:
            self._end(out)

    def _end(self, out: list[StreamEvent]) -> None:
        if self._stop_reason in _FAILED:
            raise Overloaded(f"{self._label} stopped the answer because of an error.")
        if self._details:
            out.append(BlockData(self._block("thinking"), "thinking", {self._echo: self._details.joined()}))
        elif self._echo == "reasoning_content" and "thinking" in self._blocks:
            out.append(BlockData(self._block("thinking"), "thinking", {self._echo: True}))
        reason = "refusal" if self._refused and self._stop_reason == "stop" else self._stop_reason
        self._finish(out, reason, _REASONS, called=bool(self._calls))

    def _block(self, kind: str) -> int:
        index = self._blocks.get(kind)
        if index is None:
            index = self._blocks[kind] = self._next_block()
        return index

    def _next_block(self) -> int:
        return len(self._blocks) + len(self._calls)


def _says_something(choice: dict[str, Any]) -> bool:
    delta = optional_object(choice.get("delta") or choice.get("message"))
    return any(value for key, value in delta.items() if key != "role")
