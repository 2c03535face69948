"""Streams of calls as they went wrong elsewhere: one index for all, pieces interleaved, names that come late."""

from __future__ import annotations

from typing import Any

import pytest

from tests.llmconfig.vendors import ANTHROPIC, COMPATIBLE, OPENAI
from tests.llmconfig.wire.streams import CHAT_USAGE, DONE, chat_chunk, named, unnamed


def chat_stream(*deltas: dict[str, Any]) -> list[bytes]:
    return [*(chat_chunk(delta) for delta in deltas), chat_chunk({}, "tool_calls"), unnamed({"choices": [], "usage": CHAT_USAGE}), DONE]


def piece(index: int | None, name: str = "", arguments: Any = "", id_: str = "") -> dict[str, Any]:
    known = {"index": index, "id": id_ or None}
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value}
    return {key: value for key, value in known.items() if value is not None} | {"function": function}


SAME_INDEX: dict[str, list[bytes]] = {
    "openai_chat": chat_stream(
        {"tool_calls": [piece(0, "tickets__find", '{"query": "a"}', "call_1")]},
        {"tool_calls": [piece(0, "tickets__find", '{"query": "b"}', "call_2")]},
    ),
    "ollama": [
        b'{"message":{"tool_calls":[{"function":{"index":0,"name":"tickets__find","arguments":{"query":"a"}}}]},"done":false}\n',
        b'{"message":{"tool_calls":[{"function":{"index":0,"name":"tickets__find","arguments":{"query":"b"}}}]},"done":false}\n',
        b'{"message":{"content":""},"done":true,"done_reason":"stop"}\n',
    ],
}


def responses_event(kind: str, **fields: Any) -> bytes:
    return named({"type": f"response.{kind}", **fields})


def responses_call(at: int, name: str = "tickets__find", arguments: str = "") -> dict[str, Any]:
    return {"output_index": at, "item": {"type": "function_call", "call_id": f"call_{at}", "name": name, "arguments": arguments}}


def anthropic_call(at: int, name: str = "tickets__find") -> bytes:
    block = {"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": {}}
    return named({"type": "content_block_start", "index": at, "content_block": block})


def anthropic_piece(at: int, text: str) -> bytes:
    return named({"type": "content_block_delta", "index": at, "delta": {"type": "input_json_delta", "partial_json": text}})


ANTHROPIC_END = [named({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}), named({"type": "message_stop"})]
RESPONSES_END = [responses_event("completed", response={"status": "completed"})]
A, B = {"query": "a"}, {"query": "b"}
ROUTED = [
    pytest.param(
        COMPATIBLE,
        chat_stream(
            {"tool_calls": [piece(0, "tickets__find", "", "call_1"), piece(1, "tickets__find", "", "call_2")]},
            {"tool_calls": [piece(1, arguments='{"query": ')]},
            {"tool_calls": [piece(0, arguments='{"query": "a"}'), piece(1, arguments='"b"}')]},
        ),
        [A, B],
        id="chat-interleaved",
    ),
    pytest.param(
        COMPATIBLE,
        chat_stream(
            {"tool_calls": [piece(0, arguments="", id_="call_1")]},
            {"tool_calls": [piece(0, arguments='{"query": "a"}')]},
            {"tool_calls": [piece(0, "tickets__find")]},
        ),
        [A],
        id="chat-name-late",
    ),
    pytest.param(
        COMPATIBLE,
        chat_stream(
            {"tool_calls": [piece(0, "tickets__find", "{}", "call_1")]},
            {"tool_calls": [piece(0, arguments=" ")]},
            {"tool_calls": [piece(1, "tickets__find", '{"query": "b"}', "call_2")]},
        ),
        [{}, B],
        id="chat-parsable-early",
    ),
    pytest.param(
        OPENAI,
        [
            responses_event("output_item.added", **responses_call(0)),
            responses_event("output_item.added", **responses_call(1)),
            responses_event("function_call_arguments.delta", output_index=1, delta='{"query": '),
            responses_event("function_call_arguments.delta", output_index=0, delta='{"query": "a"}'),
            responses_event("function_call_arguments.delta", output_index=1, delta='"b"}'),
            *RESPONSES_END,
        ],
        [A, B],
        id="responses-interleaved",
    ),
    pytest.param(
        OPENAI,
        [
            responses_event("output_item.added", **responses_call(0, name="")),
            responses_event("function_call_arguments.delta", output_index=0, delta='{"query": "a"}'),
            responses_event("output_item.done", **responses_call(0, arguments='{"query": "a"}')),
            *RESPONSES_END,
        ],
        [A],
        id="responses-name-late",
    ),
    pytest.param(
        ANTHROPIC,
        [
            anthropic_call(0),
            anthropic_call(1),
            anthropic_piece(1, '{"query": "b"'),
            anthropic_piece(0, '{"query": "a"}'),
            anthropic_piece(1, "}"),
            *ANTHROPIC_END,
        ],
        [A, B],
        id="anthropic-interleaved",
    ),
]
