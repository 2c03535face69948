"""OpenAI's Responses API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakes.strict import seal
from tests.fakes.strict.functions import LONGEST_ID, objection_to_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def objection(body: Mapping[str, Any]) -> str:
    return next(_objections(body), "")


def _objections(body: Mapping[str, Any]) -> Iterator[str]:
    items = [{"role": "user", "content": body["input"]}] if isinstance(body["input"], str) else body["input"]
    if not items:
        yield "One of 'input' or 'previous_response_id' or 'prompt' or 'conversation_id' must be provided."
    yield from objection_to_names((tool["name"] for tool in body.get("tools", ())), "tools[{}].name")
    yield from objection_to_names((item["name"] for item in items if item.get("type") == "function_call"), "input[{}].name")
    called: set[str] = set()
    answered: set[str] = set()
    for at, item in enumerate(items):
        follower = items[at + 1] if at + 1 < len(items) else {}
        yield from _item(item, at, follower, body["model"])
        call = item.get("call_id", "")
        if item.get("type") == "function_call":
            if call in called:
                yield f"Duplicate function call {call} found in input."
            called.add(call)
        elif item.get("type") == "function_call_output":
            if call not in called:
                yield f"No tool call found for function call output with call_id {call}."
            if call in answered:
                yield f"Duplicate tool output found for function call {call}."
            answered.add(call)
    if called - answered:
        yield f"No tool output found for function call {min(called - answered)}."


def _item(item: Mapping[str, Any], at: int, follower: Mapping[str, Any], model: str) -> Iterator[str]:
    match item.get("type", "message"):
        case "reasoning":
            summary = item.get("summary")
            if summary is None:
                yield f"Missing required parameter: 'input[{at}].summary'."
            elif not item.get("encrypted_content"):
                yield f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false."
            elif item["encrypted_content"] != seal("openai", model, "".join(part["text"] for part in summary)):
                yield f"The encrypted content for item {item.get('id')} could not be verified."
            if follower.get("type") not in ("function_call", "reasoning") and follower.get("role") != "assistant":
                yield f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."
        case "function_call" | "function_call_output":
            length = len(item["call_id"])
            if not 0 < length <= LONGEST_ID:
                yield (
                    f"Invalid 'input[{at}].call_id': string too long. Expected a string with maximum length {LONGEST_ID}, "
                    f"but got a string with length {length} instead."
                )
            if not isinstance(item.get("arguments", ""), str):
                yield f"Invalid type for 'input[{at}].arguments': expected a string, but got an object instead."
        case _:
            if not item["content"]:
                yield f"Invalid 'input[{at}].content': empty array. Expected an array with minimum length 1."
