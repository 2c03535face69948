"""Ollama's /api/chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def objection(body: Mapping[str, Any]) -> str:
    return next(_objections(body), "")


def _objections(body: Mapping[str, Any]) -> Iterator[str]:
    """It refuses what does not fit its types, and images that it cannot read; the rest is left to the model's template."""
    for message in body["messages"]:
        if message["role"] not in ("system", "user", "assistant", "tool"):
            yield f"invalid role: {message['role']}"
        if not isinstance(message.get("content", ""), str):
            yield "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string"
        for call in message.get("tool_calls", ()):
            if not isinstance(call["function"]["arguments"], dict):
                yield (
                    "json: cannot unmarshal string into Go struct field ToolCallFunction.messages.tool_calls.function.arguments "
                    "of type api.ToolCallFunctionArguments"
                )
