"""The strict rules refuse what the vendors refuse, in the vendors' words, and nothing of a plain conversation."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.strict import anthropic, chat, gemini, mistral, ollama, responses, seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

TOOL_SCHEMA = {"type": "object"}
ANTHROPIC: dict[str, Any] = {
    "model": "claude",
    "max_tokens": 4096,
    "thinking": {"type": "enabled", "budget_tokens": 2048},
    "tools": [{"name": "find", "input_schema": TOOL_SCHEMA}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Who?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": seal("anthropic", "claude", "hm")},
                {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "Alice"}]}]},
    ],
}
RESPONSES: dict[str, Any] = {
    "model": "gpt",
    "tools": [{"type": "function", "name": "find"}],
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Who?"}]},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": seal("openai", "gpt", "hm"),
        },
        {"type": "function_call", "call_id": "call_1", "name": "find", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "Alice"},
    ],
}
CHAT: dict[str, Any] = {
    "model": "gpt",
    "tools": [{"type": "function", "function": {"name": "find"}}],
    "messages": [
        {"role": "user", "content": "Who?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "Alice"},
    ],
}
MISTRAL: dict[str, Any] = json.loads(json.dumps(CHAT).replace("call_1", "aB3dE6gH9"))
GEMINI: dict[str, Any] = {
    "model": "gemini-3-pro",
    "tools": [{"functionDeclarations": [{"name": "find"}]}],
    "contents": [
        {"role": "user", "parts": [{"text": "Who?"}]},
        {
            "role": "model",
            "parts": [{"functionCall": {"name": "find", "args": {}}, "thoughtSignature": seal("gemini", "gemini-3-pro", "find")}],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": "find", "response": {"output": "Alice"}}}]},
    ],
}
OLLAMA: dict[str, Any] = {
    "model": "qwen3",
    "messages": [
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "find", "arguments": {}}}]},
        {"role": "tool", "content": "Alice", "tool_name": "find"},
    ],
}


@pytest.mark.parametrize(
    ("rules", "body"),
    [(anthropic, ANTHROPIC), (responses, RESPONSES), (chat, CHAT), (mistral, MISTRAL), (gemini, GEMINI), (ollama, OLLAMA)],
    ids=lambda it: "",
)
def test_a_plain_conversation_is_fine(rules: ModuleType, body: dict[str, Any]) -> None:
    assert rules.objection(body) == ""


def test_text_in_place_of_a_list_is_fine() -> None:
    assert anthropic.objection({**ANTHROPIC, "messages": [{"role": "user", "content": "Who?"}]}) == ""
    assert responses.objection({**RESPONSES, "input": "Who?"}) == ""


def put(value: Any, *path: Any) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        for key in path[:-1]:
            body = body[key]
        body[path[-1]] = value

    return change


def drop(*path: Any) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        for key in path[:-1]:
            body = body[key]
        del body[path[-1]]

    return change


def add(value: Any, *path: Any) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        for key in path:
            body = body[key]
        body.append(value)

    return change


MARK = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
ANSWER = {"type": "tool_result", "tool_use_id": "toolu_1"}


@pytest.mark.parametrize(
    ("rules", "body", "change", "says"),
    [
        (anthropic, ANTHROPIC, put([], "messages"), "at least one message"),
        (anthropic, ANTHROPIC, put("assistant", "messages", 0, "role"), "roles must alternate"),
        (anthropic, ANTHROPIC, put([], "messages", 0, "content"), "non-empty content"),
        (anthropic, ANTHROPIC, put(" ", "messages", 0, "content", 0, "text"), "non-whitespace text"),
        (anthropic, ANTHROPIC, put("hm!", "messages", 1, "content", 0, "thinking"), "Invalid `signature`"),
        (anthropic, ANTHROPIC, put("", "messages", 1, "content", 0, "signature"), "Invalid `signature`"),
        (anthropic, ANTHROPIC, put({"type": "redacted_thinking", "data": "x"}, "messages", 1, "content", 0), "Invalid `data`"),
        (anthropic, ANTHROPIC, put({}, "messages", 1, "content", 0, "cache_control"), "Extra inputs"),
        (anthropic, ANTHROPIC, drop("messages", 1, "content", 1), "The final block"),
        (anthropic, ANTHROPIC, drop("messages", 1, "content", 0), "Expected `thinking`"),
        (anthropic, ANTHROPIC, put("call 1", "messages", 1, "content", 1, "id"), "tool_use.id: String should match"),
        (anthropic, ANTHROPIC, put("a.b", "messages", 1, "content", 1, "name"), "tool_use.name: String should match"),
        (anthropic, ANTHROPIC, put("{}", "messages", 1, "content", 1, "input"), "valid dictionary"),
        (anthropic, ANTHROPIC, put("toolu_2", "messages", 2, "content", 0, "tool_use_id"), "unexpected `tool_use_id`"),
        (anthropic, ANTHROPIC, put([MARK], "messages", 2, "content"), "without `tool_result` blocks immediately after: toolu_1"),
        (anthropic, ANTHROPIC, drop("messages", 2), "prefill|without `tool_result`"),
        (anthropic, ANTHROPIC, add(ANSWER, "messages", 2, "content"), "single result"),
        (anthropic, ANTHROPIC, put([MARK, ANSWER], "messages", 2, "content"), "must come first"),
        (anthropic, ANTHROPIC, put([{**ANSWER, "is_error": True}], "messages", 2, "content"), "cannot be empty if"),
        (anthropic, ANTHROPIC, put([{"type": "text", "text": "hi"}] + [MARK] * 5, "messages", 0, "content"), "maximum of 4 blocks"),
        (anthropic, ANTHROPIC, put(2048, "max_tokens"), "must be greater than"),
        (anthropic, ANTHROPIC, put(512, "thinking", "budget_tokens"), "greater than or equal to 1024"),
        (anthropic, ANTHROPIC, put("a.b", "tools", 0, "name"), "tools.0.custom.name"),
        (anthropic, ANTHROPIC, put({}, "tools", 0, "input_schema"), "input_schema.type"),
        (anthropic, ANTHROPIC, add({"name": "find", "input_schema": TOOL_SCHEMA}, "tools"), "must be unique"),
        (responses, RESPONSES, put([], "input"), "must be provided"),
        (responses, RESPONSES, drop("input", 3), "No tool output found for function call call_1"),
        (responses, RESPONSES, drop("input", 2), "required following item|No tool call found"),
        (responses, RESPONSES, put("call_2", "input", 3, "call_id"), "No tool call found"),
        (responses, RESPONSES, put("x" * 65, "input", 2, "call_id"), "maximum length 64"),
        (responses, RESPONSES, put("gAAAA", "input", 1, "encrypted_content"), "could not be verified"),
        (responses, RESPONSES, drop("input", 1, "encrypted_content"), "not persisted"),
        (responses, RESPONSES, drop("input", 1, "summary"), "Missing required parameter"),
        (responses, RESPONSES, put("a.b", "input", 2, "name"), "does not match pattern"),
        (responses, RESPONSES, put({}, "input", 2, "arguments"), "expected a string"),
        (responses, RESPONSES, add(RESPONSES["input"][2], "input"), "Duplicate function call"),
        (responses, RESPONSES, add(RESPONSES["input"][3], "input"), "Duplicate tool output"),
        (responses, RESPONSES, put([], "input", 0, "content"), "empty array"),
        (chat, CHAT, put([], "messages"), "empty array"),
        (chat, CHAT, drop("messages", 2), "did not have response messages: call_1"),
        (chat, CHAT, drop("messages", 1), "must be a response to a preceeding message"),
        (chat, CHAT, put({"role": "user", "content": "?"}, "messages", 2), "did not have response messages"),
        (chat, CHAT, put(None, "messages", 0, "content"), "got null"),
        (chat, CHAT, put([], "messages", 1, "tool_calls"), "empty array"),
        (chat, CHAT, put([], "messages", 2, "content"), "expected a string"),
        (chat, CHAT, put([], "messages", 0, "content"), "empty array"),
        (chat, CHAT, put("x" * 65, "messages", 1, "tool_calls", 0, "id"), "maximum length 64"),
        (chat, CHAT, put({}, "messages", 1, "tool_calls", 0, "function", "arguments"), "expected a string"),
        (chat, CHAT, put("a.b", "messages", 1, "tool_calls", 0, "function", "name"), "does not match pattern"),
        (chat, CHAT, add(CHAT["messages"][1]["tool_calls"][0], "messages", 1, "tool_calls"), "duplicate ids"),
        (mistral, CHAT, put("x", "model"), "must be a-z, A-Z, 0-9, with a length of 9"),
        (mistral, MISTRAL, add({"role": "user", "content": "?"}, "messages"), "Unexpected role 'user' after role 'tool'"),
        (mistral, MISTRAL, add({"role": "assistant", "content": "!"}, "messages"), "Expected last role User or Tool"),
        (mistral, MISTRAL, put([], "messages"), "empty array"),
        (gemini, GEMINI, put([], "contents"), "not specified"),
        (gemini, GEMINI, drop("contents", 0), "alternate"),
        (gemini, GEMINI, drop("contents", 2), "end with a user role"),
        (gemini, GEMINI, put([], "contents", 0, "parts"), "must not be empty"),
        (gemini, GEMINI, put({"text": ""}, "contents", 0, "parts", 0), "must have a text parameter"),
        (gemini, GEMINI, put({}, "contents", 0, "parts", 0), "oneof field"),
        (gemini, GEMINI, put("7up", "contents", 1, "parts", 0, "functionCall", "name"), "Invalid function name"),
        (gemini, GEMINI, put("7up", "tools", 0, "functionDeclarations", 0, "name"), "Invalid function name"),
        (gemini, GEMINI, put([{"text": "hi"}], "contents", 2, "parts"), "number of function response parts"),
        (gemini, GEMINI, put("Alice", "contents", 2, "parts", 0, "functionResponse", "response"), "Invalid value"),
        (gemini, GEMINI, drop("contents", 1, "parts", 0, "thoughtSignature"), "missing a thought_signature"),
        (gemini, GEMINI, put("foreign", "contents", 1, "parts", 0, "thoughtSignature"), "not valid"),
        (ollama, OLLAMA, put("model", "messages", 1, "role"), "invalid role"),
        (ollama, OLLAMA, put([], "messages", 0, "content"), "cannot unmarshal array"),
        (ollama, OLLAMA, put("{}", "messages", 1, "tool_calls", 0, "function", "arguments"), "cannot unmarshal string"),
    ],
)  # fmt: skip
def test_what_the_vendor_refuses(rules: ModuleType, body: dict[str, Any], change: Callable[[Any], None], says: str) -> None:
    broken = copy.deepcopy(body)
    change(broken)
    said = rules.objection(broken)
    assert any(part in said for part in says.split("|")), said
    assert said


def test_google_lets_a_word_stand_in_for_a_signature() -> None:
    body = copy.deepcopy(GEMINI)
    put(gemini.SKIPS[0], "contents", 1, "parts", 0, "thoughtSignature")(body)
    assert gemini.objection(body) == ""
