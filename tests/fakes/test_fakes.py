"""What the fakes send, against the types of the vendors' SDKs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import TypeAdapter

from tests.fakes.anthropic import FakeAnthropic, _row
from tests.fakes.openai import FakeOpenAI
from tests.fakes.script import Answer, Call, Recorded, Tokens

if TYPE_CHECKING:
    from tests.fakes.server import FakeVendor

ANSWER = Answer("Hello Alice", calls=[Call("search", {"query": "a"})], tokens=Tokens(input=30, output=12, cache_read=7, cache_write=5))


def events(vendor: type[FakeVendor], path: str, answer: Answer = ANSWER) -> list[dict[str, Any]]:
    recorded = Recorded("POST", path, {}, {"model": "m", "stream_options": {"include_usage": True}})
    with vendor() as fake:
        payloads = [frame.partition(b"data: ")[2] for frame in fake.frames(answer, recorded)]
    return [json.loads(payload) for payload in payloads if not payload.startswith(b"[DONE]")]


def test_anthropic() -> None:
    from anthropic.types import ModelInfo, RawMessageStreamEvent

    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    sent = events(FakeAnthropic, "/v1/messages")
    for event in sent:
        if event["type"] != "ping":
            adapter.validate_python(event)
    (call,) = [event["content_block"] for event in sent if event.get("content_block", {}).get("type") == "tool_use"]
    assert call["caller"] == {"type": "direct"}
    row = _row("claude-sonnet-4-5")
    assert set(row) == set(ModelInfo.model_fields)
    ModelInfo.model_validate(row)


def test_chat() -> None:
    from openai.types.chat import ChatCompletionChunk

    sent = events(FakeOpenAI, "/v1/chat/completions")
    for event in sent:
        ChatCompletionChunk.model_validate(event)
        assert event["service_tier"] == "default"
        assert event["system_fingerprint"]
    usage = sent[-1]["usage"]
    assert (usage["prompt_tokens"], usage["total_tokens"]) == (42, 54)
    assert usage["prompt_tokens_details"]["cache_write_tokens"] == 5


@pytest.mark.parametrize("kind", ["output_text.delta", "reasoning_summary_text.delta", "function_call_arguments.delta"])
def test_deltas_of_responses(kind: str) -> None:
    from openai.types.responses import ResponseStreamEvent

    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    answer = Answer("Hello Alice", thinking="hm", calls=[Call("search", {"query": "a"})])
    sent = [event for event in events(FakeOpenAI, "/v1/responses", answer) if event["type"] == f"response.{kind}"]
    assert sent
    for event in sent:
        adapter.validate_python(event)
        assert event["obfuscation"]


def test_usage_of_responses() -> None:
    from openai.types.responses import ResponseUsage

    usage = events(FakeOpenAI, "/v1/responses")[-1]["response"]["usage"]
    ResponseUsage.model_validate(usage)
    assert (usage["input_tokens"], usage["input_tokens_details"]["cache_write_tokens"]) == (42, 5)
