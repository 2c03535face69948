"""Anthropic's Messages API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.fakes.strict import seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ID = re.compile(r"[a-zA-Z0-9_-]+")


def objection(body: Mapping[str, Any]) -> str:
    return next(_objections({**body, "messages": [{**message, "content": _blocks(message)} for message in body["messages"]]}), "")


def _blocks(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _objections(body: Mapping[str, Any]) -> Iterator[str]:
    messages = body["messages"]
    if not messages:
        yield "messages: at least one message is required"
    yield from _settings(body)
    for at, message in enumerate(messages):
        if message["role"] != ("user", "assistant")[at % 2]:
            yield 'messages: roles must alternate between "user" and "assistant", beginning with "user"'
        if not message["content"]:
            yield f"messages.{at}: all messages must have non-empty content except for the optional final assistant message"
        for place, block in enumerate(message["content"]):
            yield from _block(block, f"messages.{at}.content.{place}", body["model"])
        if message["role"] == "assistant" and message["content"][-1]["type"] in ("thinking", "redacted_thinking"):
            yield f"messages.{at}: The final block in an assistant message cannot be `thinking`."
    yield from _pairs(messages)
    if messages and messages[-1]["role"] == "assistant":
        yield "This model does not support assistant message prefill. The conversation must end with a user message."
    if (body.get("thinking") or {}).get("type") == "enabled" and _answers_calls(messages[-1]):
        first = messages[-2]["content"][0]["type"]
        if first not in ("thinking", "redacted_thinking"):
            yield f"messages.{len(messages) - 2}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`."


def _settings(body: Mapping[str, Any]) -> Iterator[str]:
    tools = body.get("tools", ())
    for at, tool in enumerate(tools):
        if not _NAME.fullmatch(tool["name"]):
            yield f"tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        if tool["input_schema"].get("type") != "object":
            yield f"tools.{at}.custom.input_schema.type: Field required"
    if len({tool["name"] for tool in tools}) < len(tools):
        yield "tools: Tool names must be unique."
    budget = (body.get("thinking") or {}).get("budget_tokens")
    if budget is not None and budget < 1024:
        yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
    if budget is not None and budget >= body["max_tokens"]:
        yield "`max_tokens` must be greater than `thinking.budget_tokens`."
    if "block_binding" in (body.get("thinking") or {}) and not _binds(body["model"]):
        yield "thinking.adaptive.block_binding: Extra inputs are not permitted"
    marked = sum("cache_control" in block for block in _marked_blocks(body))
    if marked > 4:
        yield f"A maximum of 4 blocks with cache_control may be provided. Found {marked}."


def _binds(model: str) -> bool:
    return model.endswith(("-5-1", "-5-2", "-5-5"))


def _marked_blocks(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    system = body.get("system") or ()
    yield from () if isinstance(system, str) else system
    yield from body.get("tools", ())
    for message in body["messages"]:
        yield from message["content"]


def _block(block: Mapping[str, Any], at: str, model: str) -> Iterator[str]:
    match block["type"]:
        case "text":
            if not block["text"].strip():
                yield "messages: text content blocks must contain non-whitespace text"
        case "thinking" | "redacted_thinking":
            yield from _thinking(block, at, model)
        case "tool_use":
            yield from _call(block, f"{at}.tool_use")
        case "tool_result":
            content = block.get("content") or ()
            for place, part in enumerate(content):
                yield from _block(part, f"{at}.content.{place}", model)
            if block.get("is_error") and not content:
                yield f"{at}.tool_result: content cannot be empty if `is_error` is true"


def _thinking(block: Mapping[str, Any], at: str, model: str) -> Iterator[str]:
    kind = block["type"]
    if kind == "thinking" and block["signature"] != seal("anthropic", model, block["thinking"]):
        yield f"{at}: Invalid `signature` in `thinking` block"
    if kind == "redacted_thinking" and block["data"] != seal("anthropic", model, "redacted"):
        yield f"{at}: Invalid `data` in `redacted_thinking` block"
    if "cache_control" in block:
        yield f"{at}.{kind}.cache_control: Extra inputs are not permitted"


def _call(block: Mapping[str, Any], at: str) -> Iterator[str]:
    if not _ID.fullmatch(block["id"]):
        yield f"{at}.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
    if not _NAME.fullmatch(block["name"]):
        yield f"{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
    if not isinstance(block["input"], dict):
        yield f"{at}.input: Input should be a valid dictionary"


def _pairs(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    seen: set[str] = set()
    asked: list[str] = []
    for at, message in enumerate(messages):
        blocks = message["content"]
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        stray = [each for each in results if each not in asked]
        if stray:
            yield (
                f"messages.{at}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {stray[0]}. Each `tool_result` block "
                "must have a corresponding `tool_use` block in the previous message."
            )
        if len(set(results)) < len(results):
            yield f"messages.{at}: each tool_use must have a single result. Found multiple `tool_result` blocks with the same id"
        missing = [each for each in asked if each not in results]
        if missing:
            yield (
                f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}. Each "
                "`tool_use` block must have a corresponding `tool_result` block in the next message."
            )
        if [block["type"] for block in blocks[: len(results)]] != ["tool_result"] * len(results):
            yield f"messages.{at}: `tool_result` blocks must come first in the content"
        asked = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if len(set(asked)) < len(asked) or seen & set(asked):
            yield "messages: `tool_use` ids must be unique"
        seen |= set(asked)
    if asked:
        yield f"messages.{len(messages) - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(asked)}."


def _answers_calls(message: Mapping[str, Any]) -> bool:
    return any(block["type"] == "tool_result" for block in message["content"])
