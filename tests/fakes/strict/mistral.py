"""Mistral, on top of what Chat Completions asks."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.fakes.strict import chat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ID = re.compile(r"[a-zA-Z0-9]{9}")


def objection(body: Mapping[str, Any]) -> str:
    return chat.objection(body) or next(_objections(body), "")


def _objections(body: Mapping[str, Any]) -> Iterator[str]:
    messages = body["messages"]
    for call in (call for message in messages for call in message.get("tool_calls", ())):
        if not _ID.fullmatch(call["id"]):
            yield f"Tool call id was {call['id']} but must be a-z, A-Z, 0-9, with a length of 9."
    for one, other in pairwise(messages):
        if (one["role"], other["role"]) == ("tool", "user"):
            yield "Unexpected role 'user' after role 'tool'"
    if messages[-1]["role"] == "assistant" and not messages[-1].get("prefix"):
        yield "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant"
