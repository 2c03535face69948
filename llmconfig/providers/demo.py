"""The demo provider: answers by rule, without a network or a key, and calls the tools it is offered like a model would.

Everything it does is labelled as a demo; it is also the double in tests of whatever stands above a provider.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmconfig.llm import (
    Capabilities,
    CredentialField,
    Finished,
    FinishReason,
    ModelInfo,
    ModelNotFound,
    Provider,
    TextDelta,
    ThinkingDelta,
    Timeouts,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
    UsageReported,
)
from llmconfig.net import EgressPolicy
from llmconfig.providers.demo_instance import instance
from llmconfig.providers.demo_rules import Reply, reply_to
from llmconfig.wire.reasoning import budget_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

    from llmconfig.llm import Credentials, Message, ModelRequest, StreamEvent

MODEL = ModelInfo("demo-1", "Demo (answers by rule)", context_window=100_000)
PACE_MS = 12


class DemoProvider(Provider):
    slug = "demo"
    label = "Demo provider"
    wire = "none"
    default_base_url = "demo:"
    is_demo = True
    capabilities = Capabilities(thinking=True, structured_output=True)
    options = (CredentialField("pace_ms", "Pace (ms per word)", type="integer", minimum=0, default=PACE_MS, help="0 answers at once."),)

    def __init__(self, credentials: Credentials, *, egress: EgressPolicy = EgressPolicy(), timeouts: Timeouts = Timeouts()) -> None:  # noqa: B008  frozen values
        self._options = credentials.options

    @classmethod
    def preload(cls) -> None:
        """There is nothing to load."""

    def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        return self._stream(request)

    async def list_models(self) -> Sequence[ModelInfo]:
        return (MODEL,)

    async def check(self, model: str = "") -> Sequence[ModelInfo]:
        if model not in ("", MODEL.id):
            raise ModelNotFound(f"The demo provider has one model, {MODEL.id}, and no {model!r}.")
        return (MODEL,)

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def _stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        await self.check(request.model)
        pace = {"pace_ms": PACE_MS, **self._options, **request.options}["pace_ms"] / 1000
        reply = _asked_for(reply_to(request), request)
        # Known from the start, so that a cancelled answer still has its input counted.
        yield UsageReported(Usage(input_tokens=_input_words(request), output_tokens=0))
        for event in _events(reply):
            await asyncio.sleep(pace)
            yield event
        yield UsageReported(_usage(request, reply))
        yield Finished(FinishReason.TOOL_CALLS if reply.calls else FinishReason.STOP, "demo")


def _asked_for(reply: Reply, request: ModelRequest) -> Reply:
    """Without thinking where none is wanted; by the schema where one is given, once the tools have been called."""
    if budget_of(request.reasoning) == 0:
        reply = replace(reply, thinking="")
    if request.output_schema is not None and not reply.calls:
        reply = replace(reply, text=json.dumps(instance(request.output_schema), ensure_ascii=False))
    return reply


def _events(reply: Reply) -> Iterator[StreamEvent]:
    yield from (ThinkingDelta(0, piece) for piece in _pieces(reply.thinking))
    yield from (TextDelta(1, piece) for piece in _pieces(reply.text))
    for index, call in enumerate(reply.calls, 2):
        yield ToolCallDelta(index, call.name, raw_id=f"demo_{index - 1}")
        yield ToolCallDelta(index, arguments=json.dumps(call.arguments))


def _pieces(text: str) -> list[str]:
    """Words with the space before them, as a model's tokens come."""
    words = text.split(" ")
    return [words[0], *(f" {word}" for word in words[1:])] if text else []


def _usage(request: ModelRequest, reply: Reply) -> Usage:
    """Words stand for tokens."""
    thinking = _words(reply.thinking)
    said = _words(reply.text) + sum(1 + len(call.arguments) for call in reply.calls)
    return Usage(_input_words(request), thinking + said, 0, 0, 0, thinking)


def _input_words(request: ModelRequest) -> int:
    told = _words(request.system) + sum(_words(tool.description) for tool in request.tools)
    return told + sum(_message_words(message) for message in request.messages)


def _message_words(message: Message) -> int:
    return _words(message.text) + sum(_part_words(part) for part in message.parts)


def _part_words(part: Any) -> int:
    match part:
        case ToolCall():
            return 1 + len(part.arguments)
        case ToolResult():
            return sum(_words(getattr(inner, "text", "")) for inner in part.parts)
        case _:
            return 0


def _words(text: str) -> int:
    return len(text.split())
