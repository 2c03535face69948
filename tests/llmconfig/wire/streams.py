"""Streams as the vendors publish them, byte for byte in form, and what folds them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmconfig.llm import Accumulator, Message, ModelRequest, ProviderError, StreamEvent, Text, Tool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmconfig.wire.decoding import StreamDecoder

TOOLS = (
    Tool("tickets__find", "Finds tickets.", {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}),
    Tool("crm__customer.get", "Reads one customer.", {"type": "object", "properties": {"id": {"type": "integer"}}}),
)
CUSTOMER_GET = "crm__customer_get_14cabfcc"


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def request(*messages: Message, model: str = "model-1", **more: Any) -> ModelRequest:
    return ModelRequest(model, messages or (user("Who is Alice?"),), **({"tools": TOOLS} | more))


def named(event: dict[str, Any]) -> bytes:
    """An event as Anthropic and the Responses API frame it."""
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def unnamed(event: object) -> bytes:
    """A chunk as Chat Completions frames it."""
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def decode(decoder: StreamDecoder, *chunks: bytes) -> list[StreamEvent]:
    """A whole stream, to its clean end."""
    events, error = drain(decoder, chunks)
    if error is not None:
        raise error
    return events


def drain(decoder: StreamDecoder, chunks: Iterable[bytes]) -> tuple[list[StreamEvent], ProviderError | None]:
    """All that a caller gets to see: the events in order, then the error if there was one."""
    events: list[StreamEvent] = []
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        events += decoder.flush()
        decoder.close()
    except ProviderError as error:
        return events, error
    return events, None


def fold(events: Iterable[StreamEvent], *, provider: str = "p", model: str = "model-1") -> Accumulator:
    numbers = itertools.count(1)
    accumulator = Accumulator(provider=provider, model=model, new_id=lambda: f"call-{next(numbers)}")
    for event in events:
        accumulator.add(event)
    return accumulator


_PUBLISHED = Path(__file__).parent / "published"
ANTHROPIC_TOOLS = (_PUBLISHED / "anthropic_tools.sse").read_bytes()
RESPONSES_TOOLS = (_PUBLISHED / "responses_tools.sse").read_bytes()
CHAT_TOOLS = (_PUBLISHED / "chat_tools.sse").read_bytes()
OLLAMA_TOOLS = (_PUBLISHED / "ollama_tools.ndjson").read_bytes()
GEMINI_TOOLS = (_PUBLISHED / "gemini_tools.sse").read_bytes()


def chat_chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    """A chunk of OpenAI's own servers, with `usage: null` in all but the last."""
    choice = {"index": 0, "delta": delta if delta is not None else {}, "logprobs": None, "finish_reason": finish}
    head = {
        "id": "chatcmpl-B9MHDbsl",
        "object": "chat.completion.chunk",
        "created": 1741570283,
        "model": "gpt-4o",
        "system_fingerprint": None,
    }
    return unnamed({**head, "choices": [choice], "usage": None} | more)


CHAT_USAGE = {
    "prompt_tokens": 500,
    "completion_tokens": 60,
    "total_tokens": 560,
    "prompt_tokens_details": {"cached_tokens": 300, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 0},
}
DONE = b"data: [DONE]\n\n"
