"""OpenAI's Chat Completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakes.strict.functions import LONGEST_ID, objection_to_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def objection(body: Mapping[str, Any]) -> str:
    return next(_objections(body), "")


def _objections(body: Mapping[str, Any]) -> Iterator[str]:
    messages = body["messages"]
    if not messages:
        yield "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    yield from objection_to_names((tool["function"]["name"] for tool in body.get("tools", ())), "tools[{}].function.name")
    yield from objection_to_names((call["function"]["name"] for call in calls), "messages[].tool_calls[{}].function.name")
    open_calls: list[str] = []
    for at, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                yield "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
            else:
                open_calls.remove(message["tool_call_id"])
        elif open_calls:
            yield _unanswered(open_calls)
        yield from _message(message, at)
        open_calls += [call["id"] for call in message.get("tool_calls", ())]
    if open_calls:
        yield _unanswered(open_calls)


def _unanswered(calls: Sequence[str]) -> str:
    return (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(calls)}"
    )


def _message(message: Mapping[str, Any], at: int) -> Iterator[str]:
    calls, content = message.get("tool_calls"), message.get("content")
    if calls == []:
        yield f"Invalid 'messages[{at}].tool_calls': empty array. Expected an array with minimum length 1."
    if content is None and not calls:
        yield f"Invalid value for 'content': expected a string, got null. (messages[{at}])"
    if message["role"] == "tool" and not isinstance(content, str):
        yield f"Invalid type for 'messages[{at}].content': expected a string."
    if content == []:
        yield f"Invalid 'messages[{at}].content': empty array. Expected an array with minimum length 1."
    ids = [call["id"] for call in calls or ()]
    if len(set(ids)) < len(ids):
        yield f"Invalid 'messages[{at}].tool_calls': duplicate ids."
    for call in calls or ():
        if not 0 < len(call["id"]) <= LONGEST_ID:
            yield f"Invalid 'messages[{at}].tool_calls[0].id': string too long. Expected a string with maximum length {LONGEST_ID}."
        if not isinstance(call["function"]["arguments"], str):
            yield f"Invalid type for 'messages[{at}].tool_calls[0].function.arguments': expected a string."
