"""agent.mcp.lenient, without a wire; over one it is tested in test_client."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from agent.mcp.lenient import LEFT_OUT, _Reading, _Writing, repair
from tests.agent.mcp.fake import tool


def listed(*entries: Any) -> tuple[list[dict[str, Any]], list[str]]:
    result = {"tools": list(entries), "_meta": {LEFT_OUT: "forged"}}
    repair("tools/list", result)
    return result["tools"], result["_meta"][LEFT_OUT]


def test_a_tool_keeps_what_is_read_of_it() -> None:
    whole = tool("find", title="Find", annotations={"readOnlyHint": True})
    assert listed(whole | {"outputSchema": 7, "icons": "none", "_meta": []}) == ([whole], [])


@pytest.mark.parametrize("schema", [{}, None, {"properties": {"id": {"type": "string"}}}])
def test_a_schema_that_names_no_type_is_one_of_an_object(schema: dict[str, Any] | None) -> None:
    (found,), left_out = listed({"name": "find", "inputSchema": schema})
    assert found["inputSchema"] == {"type": "object"} | (schema or {})
    assert left_out == []
    assert listed({"name": "find"})[0][0]["inputSchema"] == {"type": "object"}


@pytest.mark.parametrize("odd", [
    tool("odd", inputSchema=[]), tool("odd", inputSchema={"type": "array"}), tool("odd", inputSchema={"type": "object", "required": "id"}),
    tool("odd", description=["not", "text"]), tool("odd", annotations={"destructiveHint": "maybe"}),
])  # fmt: skip
def test_what_is_no_tool_is_named_and_its_neighbours_stay(odd: dict[str, Any]) -> None:
    assert listed(tool("a"), odd, tool("b")) == ([tool("a"), tool("b")], ["odd"])


@pytest.mark.parametrize("odd", [None, 7, "find", [], {}, {"nome": "x"}, {"name": 7}])
def test_what_has_no_name_counts_too(odd: Any) -> None:
    assert listed(odd, tool("a")) == ([tool("a")], [""])


def brought(**result: Any) -> dict[str, Any]:
    repair("tools/call", result)
    assert result.pop("resultType") == "complete"
    return result


HELLO = {"type": "text", "text": "hello"}


@pytest.mark.parametrize(("part", "named"), [
    ({"type": "hologram", "data": "x"}, "type hologram"), ({"type": "text"}, "type text"), ({"type": "image", "data": "x"}, "type image"),
    ({"text": "x"}, "no type"), ({"type": 7}, "no type"), ("hello", "no type"), (None, "no type"), ({"type": "h" * 99}, f"type {'h' * 60}"),
])  # fmt: skip
def test_a_part_that_is_not_known_is_named_among_those_that_are(part: Any, named: str) -> None:
    found = brought(content=[HELLO, part, HELLO])
    assert found["content"] == [HELLO, {"type": "text", "text": f"[a part of {named} left out, it cannot be shown]"}, HELLO]


def test_what_is_not_read_of_a_part_costs_it_nothing() -> None:
    assert brought(content=[HELLO | {"annotations": 7, "_meta": [], "icons": "none"}])["content"] == [HELLO]


@pytest.mark.parametrize("result", [{}, {"content": None}, {"content": []}, {"content": [], "isError": None}])
def test_a_result_of_nothing_is_one(result: dict[str, Any]) -> None:
    assert brought(**result) == {"content": [], "isError": False}


def test_structured_content_of_any_kind_is_kept_as_text_where_there_is_none() -> None:
    assert brought(structuredContent=["ä"], isError=True) == {"content": [{"type": "text", "text": '["ä"]'}], "isError": True}
    assert brought(content=[HELLO], structuredContent=[1])["content"] == [HELLO]
    assert brought(structuredContent={"n": 1})["structuredContent"] == {"n": 1}


@pytest.mark.parametrize(("method", "result"), [
    ("tools/list", {"tools": "none"}), ("tools/list", {}), ("tools/other", {"tools": [7]}), ("tools/call", {"content": "no list"}),
    ("tools/call", {"inputRequests": {}}), ("tools/call", {"resultType": "input_required", "requestState": "s"}),
])  # fmt: skip
def test_what_is_no_answer_of_its_kind_stays_as_it_is(method: str, result: dict[str, Any]) -> None:
    before = dict(result)
    repair(method, result)
    assert result == before


async def test_answers_are_told_apart_by_what_was_asked_and_nothing_is_kept_of_a_cancelled_request() -> None:
    out, sent = anyio.create_memory_object_stream[Any](9)
    arriving, incoming = anyio.create_memory_object_stream[Any](9)
    asked: dict[str, str] = {}
    async with _Writing(out, asked) as writing, _Reading(incoming, asked) as reading, sent, arriving:
        for number in (1, 2):
            await writing.send(SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=number, method="tools/list")))
        cancelled = JSONRPCNotification(jsonrpc="2.0", method="notifications/cancelled", params={"requestId": 2})
        await writing.send(SessionMessage(cancelled))
        assert asked == {"1": "tools/list"}
        for number in (1, 3):
            await arriving.send(SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=number, result={"tools": [7]})))
        await arriving.send(ValueError())
        first, other, failure = [await reading.receive() for _ in range(3)]
        assert (first.message.result["tools"], other.message.result["tools"], type(failure)) == ([], [7], ValueError)
        assert asked == {}
        assert reading.last_context is None
        await reading.aclose()
