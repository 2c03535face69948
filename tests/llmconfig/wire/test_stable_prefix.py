"""What a step of a run sends begins with what the step before it sent, byte for byte: what a provider has cached is read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llmconfig.llm import Media, Message, ProviderData, Reasoning, Text, Thinking, ToolCall, ToolResult
from llmconfig.wire import anthropic_messages, gemini, ollama, openai_chat, openai_responses
from tests.llmconfig.wire.streams import request, user

if TYPE_CHECKING:
    from types import ModuleType

PICTURE = Media("image", "image/png", b"\x00")
WIRES = [
    (anthropic_messages, "messages"),
    (openai_responses, "input"),
    (openai_chat, "messages"),
    (gemini, "contents"),
    (ollama, "messages"),
]


def turn(number: int) -> tuple[Message, ...]:
    seal = ProviderData("p", "model-1", {"signature": f"c2ln{number}", "encrypted_content": "gAAA", "id": "rs_1", "summary": []})
    calls = tuple(ToolCall(f"{name}{number}", "tickets__find", {"b": name, "a": number}) for name in "xyz")
    results = tuple(ToolResult(call.id, (Text("found"), PICTURE)) for call in reversed(calls))
    return Message("assistant", (Thinking("hm", seal), Text("Checking."), *calls)), Message("tool", results)


CONVERSATION = (user("Who is Alice?"), *turn(1), *turn(2), Message("assistant", (Text("A customer."),)), user("And Bob?"), *turn(3))
ENDS = [1, 3, 5, 7, 9]
"""Where the model is asked."""


def unmarked(value: Any) -> Any:
    """Without the cache breakpoints, which move."""
    if isinstance(value, dict):
        return {key: unmarked(item) for key, item in value.items() if key != "cache_control"}
    return [unmarked(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("wire", "list_name"), WIRES)
def test_bug_15_each_step_begins_with_the_last_one(wire: ModuleType, list_name: str) -> None:
    before, head = "", None
    for end in ENDS:
        asked = request(*CONVERSATION[:end], system="Be brief.", reasoning=Reasoning("low"), cache_key="c")
        body = unmarked(wire.encode(asked, provider="p"))
        said = json.dumps(body.pop(list_name))
        assert said.startswith(before.rstrip("]}"))
        assert head in (None, json.dumps(body))
        before, head = said, json.dumps(body)


@pytest.mark.parametrize(("wire", "list_name"), WIRES)
def test_bug_15_results_go_in_the_order_of_their_calls_whatever_came_first(wire: ModuleType, list_name: str) -> None:
    said, (results,) = CONVERSATION[:2], CONVERSATION[2:3]
    again = Message("tool", results.parts[::-1])
    first, second = (wire.encode(request(*said, message), provider="p") for message in (results, again))
    assert json.dumps(first) == json.dumps(second)


@pytest.mark.parametrize(("wire", "list_name"), WIRES)
def test_the_same_request_is_always_the_same_bytes(wire: ModuleType, list_name: str) -> None:
    asked = request(*CONVERSATION, system="Be brief.")
    assert len({json.dumps(wire.encode(asked, provider="p")) for _ in range(3)}) == 1
