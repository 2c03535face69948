"""How the demo provider goes on with a conversation: call tools that fit the last message, or put together what they returned. Pure.

Tools of the demo service are known by what follows `__` in their name, whatever the service is called. Any other tool is called
when the message names it, with the JSON object that follows its name as arguments.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmconfig.llm import ToolResult
from llmconfig.providers.demo_report import found_first, report
from llmconfig.providers.demo_wishes import DEMO_TOOLS, Call, wishes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmconfig.llm import Message, ModelRequest


@dataclass(frozen=True, slots=True)
class Reply:
    thinking: str
    text: str
    calls: tuple[Call, ...] = ()


def reply_to(request: ModelRequest) -> Reply:
    asked, since = _last_question(request.messages)
    offered = {_short(tool.name): tool.name for tool in request.tools}
    if since:
        return _after_tools(since, offered)
    named = _named_calls(asked, [tool.name for tool in request.tools])
    wanted = [Call(offered[call.name], call.arguments) for call in wishes(asked) if call.name in offered]
    calls = tuple(named or wanted)
    if calls:
        names = " and ".join(f"`{call.name}`" for call in calls)
        return Reply(f"The message asks for something that {names} can do, so I call it.", _announcement(calls), calls)
    return Reply("No tool fits this message, so I say what I can do.", _introduction(bool(offered)))


def _last_question(messages: Sequence[Message]) -> tuple[str, list[tuple[str, ToolResult]]]:
    """The last user message, and the results that came after it with the names of their tools."""
    start = max((index for index, message in enumerate(messages) if message.role == "user"), default=-1)
    after = messages[start + 1 :]
    names = {call.id: call.name for message in after for call in message.tool_calls}
    results = [part for message in after for part in message.parts if isinstance(part, ToolResult)]
    return messages[start].text if start >= 0 else "", [(names.get(result.tool_call_id, "tool"), result) for result in results]


def _after_tools(since: Sequence[tuple[str, ToolResult]], offered: Mapping[str, str]) -> Reply:
    last_name, last = since[-1]
    first_hit = found_first(last, "articles")
    if _short(last_name) == "search_articles" and first_hit and "get_article" in offered:
        call = Call(offered["get_article"], {"id": first_hit})
        return Reply(f"Article {first_hit} fits best; I read it in full.", f"Article {first_hit} looks right. I read it.", (call,))
    return Reply("The tools have answered; I put it together.", report([(_short(name), result) for name, result in since]))


def _named_calls(asked: str, names: Sequence[str]) -> list[Call]:
    """Tools whose name stands in the message as it is written, each with the JSON object after it."""
    found: list[tuple[int, Call]] = []
    for name in names:
        for spelling in dict.fromkeys((name, _short(name), _short(name).replace("_", " "))):
            match = re.search(rf"(?<![\w-]){re.escape(spelling)}(?![\w-])", asked, re.IGNORECASE)
            if match is None:
                continue
            arguments = _json_object(asked[match.end() :])
            if arguments is not None or _short(name) not in DEMO_TOOLS:
                found.append((match.start(), Call(name, arguments or {})))
            break
    return [call for _, call in sorted(found, key=lambda pair: pair[0])]


def _json_object(text: str) -> dict[str, Any] | None:
    """The object that begins right after a tool's name, but for punctuation."""
    start = re.match(r"[\s:`(]*(?:with\s+)?(?=\{)", text)
    if start is None:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start.end())
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _short(name: str) -> str:
    return name.rpartition("__")[2]


def _announcement(calls: Sequence[Call]) -> str:
    what = {"close_ticket": "close the ticket", "delete_customer": "delete the customer", "create_ticket": "open a ticket"}
    said = what.get(_short(calls[0].name))
    if said:
        return f"I will {said}; that changes data."
    return "Let me look that up." if len(calls) == 1 else f"Let me look that up in {len(calls)} places at once."


def _introduction(has_tools: bool) -> str:
    if not has_tools:
        return (
            "I am routekit's demo provider: I answer by rule and am no language model. I have no tools in this conversation. "
            "Switch the demo service on, or add a provider with your own key under Settings → Providers."
        )
    return (
        "I am routekit's demo provider: I answer by rule and am no language model, but the tools I call are real. Try one of these:\n\n"
        "- Give me an overview of tickets and customers\n"
        "- How do refunds work?\n"
        "- Close ticket T-1033\n\n"
        "For real answers, add a provider with your own key under Settings → Providers."
    )
