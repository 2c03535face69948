"""What stands in a request in place of what does not fit it: a note for messages, head and tail of a tool's result."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from llmconfig.llm import Media, Message, Text, ToolResult

HEAD: Final = 1_500
TAIL: Final = 500
SHORT: Final = 2_400
"""Characters: what is kept of a result that is shortened, and how long one is left alone."""


def left_out(count: int) -> Message:
    """In place of that many messages."""
    told = "1 earlier message of this conversation is" if count == 1 else f"{count} earlier messages of this conversation are"
    return Message("user", (Text(f"[Note: {told} left out here, because they do not fit the model's context window.]"),))


def shortened(message: Message) -> tuple[Message, int]:
    """The message with its long tool results cut to head and tail and their media replaced, and how many results that are."""
    if message.role != "tool":
        return message, 0
    parts = tuple(_short_result(part) if isinstance(part, ToolResult) else part for part in message.parts)
    changed = sum(new is not old for new, old in zip(parts, message.parts, strict=True))
    return (Message("tool", parts), changed) if changed else (message, 0)


def _short_result(result: ToolResult) -> ToolResult:
    length = sum(len(part.text) for part in result.parts if isinstance(part, Text))
    if length <= SHORT and not any(isinstance(part, Media) for part in result.parts):
        return result
    text = "\n\n".join(_as_text(part) for part in result.parts)
    if len(text) > SHORT:
        cut = len(text) - HEAD - TAIL
        text = f"{text[:HEAD]}\n[… {cut} characters left out here to fit the model's context window …]\n{text[-TAIL:]}"
    return replace(result, parts=(Text(text),))


def _as_text(part: Text | Media) -> str:
    return part.text if isinstance(part, Text) else f"[{part.kind} left out here to fit the model's context window]"
