"""How many tokens things take, guessed cheaply and the same way each time: no tokenizer, no network.

Text counts its UTF-8 bytes by 3.5: English runs at four to five bytes a token, code at about three, Chinese at two to four. Media
count by kind, at the price of a large one where vendors differ. A guess is corrected by what a provider measured (`context`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from llmconfig.llm import Media, Text, Thinking, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmconfig.llm import Message, Part, Tool

BYTES_PER_TOKEN: Final = 3.5
PER_MESSAGE: Final = 6
"""Roles and separators."""
PER_PART: Final = 4
PER_TOOL: Final = 12
IMAGE: Final = 1_600
"""Anthropic's most for one image; OpenAI's and Gemini's lie below for what is not huge."""
PAGE: Final = 2_500
PAGE_BYTES: Final = 40_000
"""Of a PDF: a page is read as text and as an image."""
BYTES_PER_SOUND_TOKEN: Final = 500
"""Audio of 128 kbit/s at 32 tokens a second, and video of 1 Mbit/s at 260."""


def of_text(text: str) -> int:
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return int(size / BYTES_PER_TOKEN) + 1 if text else 0


def of_message(message: Message) -> int:
    return PER_MESSAGE + sum(map(_of_part, message.parts))


def of_tools(tools: Iterable[Tool]) -> int:
    return sum(PER_TOOL + of_text(tool.name) + of_text(tool.description) + of_text(_json(tool.input_schema)) for tool in tools)


def _of_part(part: Part) -> int:
    match part:
        case Text() | Thinking():
            return PER_PART + of_text(part.text)
        case Media():
            return PER_PART + _of_media(part)
        case ToolCall():
            return PER_PART + of_text(part.name) + of_text(_json(part.arguments))
        case _:
            return PER_PART + sum(map(_of_part, part.parts))


def _of_media(part: Media) -> int:
    match part.kind:
        case "image":
            return IMAGE
        case "document":
            return PAGE * (1 + len(part.data) // PAGE_BYTES)
        case _:
            return 1 + len(part.data) // BYTES_PER_SOUND_TOKEN


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=dict)
