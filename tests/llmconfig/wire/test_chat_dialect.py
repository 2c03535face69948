"""What a vendor asks for besides the common fields, its thinking sent back, and Mistral's chat template."""

from __future__ import annotations

import re

import pytest

from llmconfig.llm import Accumulator, Message, ModelRequest, ProviderData, Text, Thinking, Tool, ToolCall, ToolResult
from llmconfig.wire.chat_dialect import Dialect
from llmconfig.wire.openai_chat import ChatWire, encode
from tests.llmconfig.wire.streams import decode, unnamed

TOOL = Tool("look", "Looks", {"type": "object"})
ASKED = Message("user", (Text("Hi"),))
DETAILS = [{"type": "reasoning.text", "text": "Think", "signature": "sig"}]


def history(*thoughts: Thinking, raw_id: str = "call_abc") -> tuple[Message, ...]:
    call = ToolCall("own-1", "look", {}, provider_data=ProviderData("v", "m", {"id": raw_id}))
    return (ASKED, Message("assistant", (*thoughts, call)), Message("tool", (ToolResult("own-1", (Text("seen"),)),)), ASKED)


def messages(dialect: Dialect, *thoughts: Thinking, model: str = "m", raw_id: str = "call_abc") -> list[dict]:
    body = encode(ModelRequest(model, history(*thoughts, raw_id=raw_id), tools=(TOOL,)), provider="v", dialect=dialect)
    return body["messages"]


def thought(text: str, data: dict | None, model: str = "m") -> Thinking:
    return Thinking(text, None if data is None else ProviderData("v", model, data))


def test_a_vendor_lays_its_fields_over_the_common_ones_and_takes_some_out() -> None:
    dialect = Dialect(asks=lambda request: {"stream_options": None, "seed": request.options["seed"]})
    body = encode(ModelRequest("m", (ASKED,), options={"seed": 7}), provider="v", dialect=dialect)
    assert body["seed"] == 7
    assert "stream_options" not in body


def test_reasoning_content_goes_back_and_is_never_missing_beside_calls() -> None:
    dialect = Dialect(echo="reasoning_content")
    own = thought("hm", {"reasoning_content": True})
    assert messages(dialect, own)[1]["reasoning_content"] == "hm"
    for foreign in (
        [],
        [thought("x", None)],
        [thought("x", {"reasoning_content": True}, model="other")],
        [thought("x", {"signature": "s"})],
    ):
        assert messages(dialect, *foreign)[1]["reasoning_content"] == ""
    assert "reasoning_content" not in messages(Dialect(), own)[1]
    said = Message("assistant", (Text("Hello"),))
    body = encode(ModelRequest("m", (ASKED, said, ASKED)), provider="v", dialect=dialect)
    assert "reasoning_content" not in body["messages"][1]


def test_reasoning_details_go_back_as_they_came() -> None:
    dialect = Dialect(echo="reasoning_details")
    sent = messages(dialect, thought("Think", {"reasoning_details": DETAILS}))[1]["reasoning_details"]
    assert sent == DETAILS
    assert sent[0] is not DETAILS[0]
    assert "reasoning_details" not in messages(dialect)[1]


def test_call_ids_for_mistral_are_nine_letters_and_digits() -> None:
    dialect = Dialect(mistral=True)
    sent = messages(dialect)
    wire_id = sent[1]["tool_calls"][0]["id"]
    assert re.fullmatch("[A-Za-z0-9]{9}", wire_id)
    assert sent[2]["tool_call_id"] == wire_id
    assert messages(dialect, raw_id="D681PevKs")[1]["tool_calls"][0]["id"] == "D681PevKs"
    assert messages(dialect)[1]["tool_calls"][0]["id"] == wire_id, "the same in every request"


@pytest.mark.parametrize(
    ("model", "bridged"), [("mistralai/Mistral-Small-4", True), ("devstral-2", True), ("ministral-3b", True), ("gpt-5", False)]
)
def test_no_user_comes_directly_behind_a_tool_where_the_template_is_mistrals(model: str, bridged: bool) -> None:
    roles = [message["role"] for message in messages(Dialect(), model=model)]
    assert roles == ["user", "assistant", "tool", *(["assistant"] if bridged else []), "user"]


def decoded(dialect: Dialect, *deltas: dict) -> Message:
    decoder = ChatWire(dialect).Decoder(ModelRequest("m", (ASKED,)), provider="v", label="V")
    accumulator = Accumulator(provider="v", model="m", new_id=lambda: "own")
    chunks = [{"choices": [{"delta": delta}]} for delta in deltas]
    for event in decode(decoder, *map(unnamed, (*chunks, {"choices": [{"delta": {}, "finish_reason": "stop"}]}))):
        accumulator.add(event)
    return accumulator.message()


def test_a_thought_that_shall_go_back_is_marked() -> None:
    message = decoded(Dialect(echo="reasoning_content"), {"reasoning_content": "a"}, {"reasoning_content": "b"}, {"content": "Hi"})
    assert message.parts[0] == thought("ab", {"reasoning_content": True})
    assert decoded(Dialect(echo="reasoning_content"), {"content": "Hi"}).parts == (Text("Hi"),)
    assert decoded(Dialect(), {"reasoning_content": "a"}, {"content": "Hi"}).parts[0] == thought("a", None)


def test_details_are_put_together_and_lie_ahead_of_the_text_though_they_have_no_words() -> None:
    sealed = {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "index": 0}
    message = decoded(Dialect(echo="reasoning_details"), {"reasoning_details": []}, {"reasoning_details": [sealed]}, {"content": "Hi"})
    assert message.parts == (thought("", {"reasoning_details": [sealed]}), Text("Hi"))
    pieces = [
        {"type": "reasoning.text", "text": text, "index": 0, "signature": seal} for text, seal in (("Th", None), ("ink", None), ("", "sig"))
    ]
    message = decoded(
        Dialect(echo="reasoning_details"), *({"reasoning": each["text"], "reasoning_details": [each]} for each in pieces), {"content": "Hi"}
    )
    whole = {"type": "reasoning.text", "text": "Think", "index": 0, "signature": "sig"}
    assert message.parts == (thought("Think", {"reasoning_details": [whole]}), Text("Hi"))
    assert decoded(Dialect(), {"reasoning_details": [sealed]}, {"content": "Hi"}).parts == (Text("Hi"),)


def test_the_wire_in_a_dialect_is_what_providers_ask_for() -> None:
    wire = ChatWire(Dialect(asks=lambda _: {"seed": 1}))
    assert wire.encode(ModelRequest("m", (ASKED,)), provider="v")["seed"] == 1
    assert wire.error_from(429, b"", {}, label="V").kind == "rate_limited"
