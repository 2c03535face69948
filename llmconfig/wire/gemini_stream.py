"""Gemini's stream: chunks of one JSON object each, whole function calls, signatures on any part."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from llmconfig.llm import BlockData, ContentFiltered, FinishReason, TextDelta, ThinkingDelta, ToolCallDelta, Usage, UsageReported
from llmconfig.wire.decoding import StreamDecoder, count, disjoint_input, objects, optional_object, text_of
from llmconfig.wire.errors import error_event
from llmconfig.wire.fault import clean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from llmconfig.llm import ModelRequest, StreamEvent

SIGNATURE: Final = "thought_signature"
"""The key of provider data under which a part's signature is kept."""

_REASONS: Final[Mapping[str, FinishReason]] = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
        ),
        FinishReason.CONTENT_FILTER,
    ),
}
_COUNTS: Final = ("promptTokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
_DETAILS: Final = ("promptTokensDetails", "cacheTokensDetails")
"""The counts by modality, of which sound has a price of its own."""


class Decoder(StreamDecoder):
    """Chunks of candidates; a `finishReason` ends the answer, in its last chunk or in one without content.

    The end is held back until the body has ended: usage, or a signature in an empty part, may still follow. So may the rest of the
    answer, with another `finishReason`: a round of Google's own tools ends with one, too.
    """

    __slots__ = ("_called", "_counts", "_index", "_kind", "_signed", "_stop_reason")

    def __init__(self, request: ModelRequest, *, provider: str, label: str = "The provider") -> None:
        super().__init__(request, provider=provider, label=label)
        self._index = -1  # of the newest block
        self._kind = ""  # of the newest block, while more may be added to it
        self._signed = ""
        self._called = False
        self._counts: dict[str, int] = {}
        self._stop_reason = ""

    @property
    def is_whole(self) -> bool:
        return self._done or bool(self._stop_reason)

    def _on(self, event: dict[str, Any], out: list[StreamEvent]) -> None:
        if error := event.get("error"):
            raise error_event({"error": error}, label=self._label)
        candidates = event.get("candidates")
        if candidates:
            for candidate in objects(candidates):
                if not candidate.get("index"):  # of several answers the first
                    self._on_candidate(candidate, out)
        if counts := event.get("usageMetadata"):
            self._on_counts(optional_object(counts), out)
        if not candidates and (feedback := optional_object(event.get("promptFeedback"))):
            self._on_feedback(feedback)

    def _on_candidate(self, candidate: dict[str, Any], out: list[StreamEvent]) -> None:
        content = candidate.get("content")
        if content:
            for part in objects(content.get("parts")):
                if self._stop_reason and _says_something(part):
                    self._stop_reason = ""
                self._on_part(part, out)
        if reason := text_of(candidate.get("finishReason")):
            self._stop_reason = reason

    def _on_part(self, part: dict[str, Any], out: list[StreamEvent]) -> None:
        text = part.get("text")
        signature = text_of(part.get("thoughtSignature"))
        if type(text) is str or (signature and not _says_something(part)):
            self._on_text("thinking" if part.get("thought") else "text", text or "", signature, out)
        elif call := optional_object(part.get("functionCall")):
            self._on_call(call, signature, out)
        elif medium := optional_object(part.get("inlineData") or part.get("fileData")):
            self._kind = ""
            self._on_text("text", f"[{text_of(medium.get('mimeType')) or 'A file'} left out: routekit shows text only]", signature, out)
            self._kind = ""
        # What Google's own tools did, which routekit never asks for, is passed over.

    def _on_text(self, kind: Literal["text", "thinking"], text: str, signature: str, out: list[StreamEvent]) -> None:
        """A signature belongs to the text it comes with or, where it comes alone, to the text before it; two never share a block."""
        if not text and not signature:
            return
        if kind != self._kind or (signature and self._signed):
            self._index, self._kind, self._signed = self._index + 1, kind, ""
        if text:
            out.append(TextDelta(self._index, text) if kind == "text" else ThinkingDelta(self._index, text))
        if signature:
            self._signed = signature
            out.append(BlockData(self._index, kind, {SIGNATURE: signature}))

    def _on_call(self, call: dict[str, Any], signature: str, out: list[StreamEvent]) -> None:
        """Each is whole, and a block of its own, however many bear the same name."""
        name = text_of(call.get("name"))
        arguments = json.dumps(call.get("args") or {}, ensure_ascii=False, separators=(",", ":"))
        self._kind = ""
        self._called = True
        self._index += 1
        out.append(ToolCallDelta(self._index, self._names.to_neutral(name), arguments, text_of(call.get("id"))))
        if signature:
            out.append(BlockData(self._index, "tool_call", {SIGNATURE: signature}))

    def _on_counts(self, counts: dict[str, Any], out: list[StreamEvent]) -> None:
        """A chunk may leave out what an earlier one said."""
        known, changed = self._counts, False
        for name in _COUNTS:
            if name in counts and (value := count(counts[name])) is not None and value != known.get(name):
                known[name], changed = value, True
        for name in _DETAILS:
            if name in counts and (heard := _heard(counts[name])) != known.get(name, 0):
                known[name], changed = heard, True
        if changed:
            out.append(UsageReported(_usage(known)))

    def _on_feedback(self, feedback: dict[str, Any]) -> None:
        if reason := text_of(feedback.get("blockReason")):
            said = clean(text_of(feedback.get("blockReasonMessage")))
            raise ContentFiltered(f"{self._label} did not let the message pass ({clean(reason)}){f': {said}' if said else ''}.")

    def _on_document(self, value: dict[str, Any], out: list[StreamEvent]) -> None:
        self._on(value, out)
        if self._stop_reason or self._index >= 0:
            self._at_end(out, whole=True)

    def _at_end(self, out: list[StreamEvent], *, whole: bool = False) -> None:
        if self._stop_reason or whole:
            self._finish(out, self._stop_reason, _REASONS, called=self._called)


def _says_something(part: dict[str, Any]) -> bool:
    return any(value for name, value in part.items() if name not in ("thought", "thoughtSignature"))


def _usage(counts: Mapping[str, int]) -> Usage:
    """Thoughts come on top of the candidates; the prompt includes what was cached, and not what Google's own tools read."""
    thoughts, cached = counts.get("thoughtsTokenCount"), counts.get("cachedContentTokenCount")
    heard, heard_again = counts.get("promptTokensDetails"), counts.get("cacheTokensDetails")
    return Usage(
        input_tokens=disjoint_input(_sum(counts.get("promptTokenCount"), counts.get("toolUsePromptTokenCount")), cached, None),
        output_tokens=_sum(counts.get("candidatesTokenCount"), thoughts),
        cache_read_tokens=cached,
        reasoning_tokens=thoughts,
        audio_tokens=disjoint_input(heard, heard_again, None),
        cache_read_audio_tokens=heard_again,
    )


def _heard(details: object) -> int:
    """Of the counts by modality, those of sound."""
    return sum(count(each.get("tokenCount")) or 0 for each in objects(details) if each.get("modality") == "AUDIO")


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one + (other or 0)
