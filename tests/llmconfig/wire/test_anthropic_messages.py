"""Anthropic's wire: bodies as its API reference defines them, streams as its documentation prints them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from llmconfig.llm import (
    BlockData,
    Finished,
    FinishReason,
    InvalidRequest,
    Media,
    Message,
    Overloaded,
    ProviderData,
    Reasoning,
    StreamInterrupted,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
    UsageReported,
)
from llmconfig.wire.anthropic_messages import UNBOUND, Decoder, encode
from tests.llmconfig.wire.streams import ANTHROPIC_TOOLS, CUSTOMER_GET, TOOLS, decode, drain, fold, named, request, user

EPHEMERAL = {"type": "ephemeral"}
ADAPTIVE = {"type": "adaptive", "display": "summarized"}
DISABLED = {"type": "disabled"}
START = named({"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 3, "output_tokens": 1}}})
STOP = named({"type": "message_stop"})


def sealed(**data: Any) -> ProviderData:
    return ProviderData("anthropic", "model-1", data)


def body(*messages: Message, **more: Any) -> dict[str, Any]:
    return encode(request(*messages, **more), provider="anthropic")


def delta(index: int, **of: Any) -> bytes:
    return named({"type": "content_block_delta", "index": index, "delta": of})


def ending(reason: str | None, **usage: Any) -> bytes:
    return named({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage or None}) + STOP


def events(*chunks: bytes) -> list[Any]:
    return decode(Decoder(request(), provider="anthropic"), *chunks)


class TestEncode:
    def test_a_whole_conversation(self) -> None:
        calls = (
            ToolCall("a", "tickets__find", {"query": "Alice"}, None, sealed(id="toolu_1")),
            ToolCall("b", "crm__customer.get", {"id": 7}),
        )
        got = body(
            user("Who is Alice?"),
            Message("assistant", (Thinking("Two look-ups.", sealed(signature="c2ln")), Text("Checking."), *calls)),
            Message("tool", (ToolResult("b", (Text("gone"),), is_error=True), ToolResult("a", ()))),
            user("And?"),
            system="Be brief.",
        )
        assert got == {
            "model": "model-1",
            "max_tokens": 8192,
            "stream": True,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": EPHEMERAL}],
            "tools": [
                {"name": "tickets__find", "description": "Finds tickets.", "input_schema": TOOLS[0].input_schema},
                {
                    "name": CUSTOMER_GET,
                    "description": "Reads one customer.",
                    "input_schema": TOOLS[1].input_schema,
                    "cache_control": EPHEMERAL,
                },
            ],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Who is Alice?", "cache_control": EPHEMERAL}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Two look-ups.", "signature": "c2ln"},
                        {"type": "text", "text": "Checking."},
                        {"type": "tool_use", "id": "toolu_1", "name": "tickets__find", "input": {"query": "Alice"}},
                        {"type": "tool_use", "id": "b", "name": CUSTOMER_GET, "input": {"id": 7}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "toolu_1"},
                        {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "gone"}], "is_error": True},
                        {"type": "text", "text": "And?", "cache_control": EPHEMERAL},
                    ],
                },
            ],
        }
        assert list(got) == ["model", "max_tokens", "stream", "system", "tools", "messages"]

    def test_nothing_of_the_request_is_aliased_or_changed(self) -> None:
        schema = {"type": "object", "properties": {"q": {"type": "string"}}}
        arguments = {"q": ["x"]}
        asked = request(user("hi"), Message("assistant", (ToolCall("a", "t", arguments),)), tools=(Tool("t", "", schema),))
        before = copy.deepcopy(asked)
        got = encode(asked, provider="anthropic")
        assert json.dumps(got) == json.dumps(encode(asked, provider="anthropic"))
        got["tools"][0]["input_schema"]["properties"]["q"]["type"] = "integer"
        got["messages"][1]["content"][0]["input"]["q"].append("y")
        assert asked == before

    def test_no_system_no_tools_no_messages(self) -> None:
        assert encode(request(Message("user", ()), tools=(), system=" "), provider="anthropic") == {
            "model": "model-1",
            "max_tokens": 8192,
            "stream": True,
            "messages": [],
        }

    def test_redacted_thinking_is_echoed_verbatim(self) -> None:
        got = body(user("hi"), Message("assistant", (Thinking("", sealed(redacted="ZW5j==")), Text("ok"))))
        assert got["messages"][1]["content"][0] == {"type": "redacted_thinking", "data": "ZW5j=="}

    def test_bug_01_02_thinking_that_would_be_refused_is_not_sent(self) -> None:
        foreign = Thinking("hm", ProviderData("openai", "model-1", {"signature": "c2ln"}))
        changed = Thinking("hm", ProviderData("anthropic", "model-0", {"signature": "c2ln"}))
        unsigned = Thinking("hm", sealed(signature=""))
        got = body(user("hi"), Message("assistant", (foreign, changed, unsigned, Text("ok"))))
        assert got["messages"][1]["content"] == [{"type": "text", "text": "ok"}]

    @pytest.mark.parametrize(
        ("model", "reasoning", "thinking", "echoed"),
        [
            ("claude-fable-5-1", None, {"type": "adaptive", **UNBOUND}, True),
            ("claude-sonnet-5-5", Reasoning("high"), ADAPTIVE | UNBOUND, True),
            ("claude-fable-5-1", Reasoning("none"), {"type": "adaptive", **UNBOUND}, True),
            ("claude-sonnet-5-5", Reasoning("none"), DISABLED, False),
            ("claude-opus-5", Reasoning("none"), DISABLED, True),
            ("claude-opus-5", None, None, True),
        ],
    )
    def test_thoughts_bound_to_what_was_said_before_may_be_dropped(self, model: str, reasoning: Any, thinking: Any, echoed: bool) -> None:
        """The system text was changed since, a service was added, the beginning was left out: the vendor may not refuse it for that."""
        thought = Thinking("", ProviderData("anthropic", model, {"signature": "c2ln"}))
        got = body(user("hi"), Message("assistant", (thought, Text("ok"))), user("and?"), model=model, reasoning=reasoning)
        assert got.get("thinking") == thinking
        assert (got["messages"][1]["content"][0]["type"] == "thinking") is echoed
        assert body(user("hi"), model=model).get("thinking") is None

    def test_media_inline(self) -> None:
        got = body(Message("user", (Media("image", "image/jpg", b"\x00"), Media("document", "application/pdf", b"\xff"), Text("see"))))
        assert got["messages"][0]["content"][:2] == [
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AA=="}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "/w=="}},
        ]

    @pytest.mark.parametrize(
        ("kind", "media_type"), [("audio", "audio/wav"), ("image", "image/tiff"), ("document", "text/csv"), ("video", "video/mp4")]
    )
    def test_media_that_the_wire_cannot_carry_is_refused_by_name(self, kind: Any, media_type: str) -> None:
        with pytest.raises(InvalidRequest, match=f"{kind} “notes” .{media_type}"):
            body(Message("user", (Media(kind, media_type, b"", "notes"),)))

    def test_a_tool_that_returns_such_media_does_not_end_the_conversation(self) -> None:
        parts = (Media("image", "image/png", b"\x00"), Media("audio", "audio/wav", b""))
        got = body(user("hi"), Message("assistant", (ToolCall("a", "t", {}),)), Message("tool", (ToolResult("a", parts),)))
        content = got["messages"][2]["content"][0]["content"]
        assert [block["type"] for block in content] == ["image", "text"]
        assert "audio" in content[1]["text"]

    def test_uploaded_media_are_named(self) -> None:
        parts = (
            Media("image", "image/png", b"\x00", uploaded="file_1"),
            Media("document", "application/pdf", b"\xff", uploaded="file_2"),
        )
        assert body(Message("user", (*parts, Text("see"))))["messages"][0]["content"][:2] == [
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            {"type": "document", "source": {"type": "file", "file_id": "file_2"}},
        ]

    def test_the_two_newest_turns_of_the_user_are_cached_and_all_live_equally_long(self) -> None:
        def turn(name: str) -> tuple[Message, ...]:
            return Message("assistant", (ToolCall(name, "t", {}),)), Message("tool", (ToolResult(name, (Text("one"),)),))

        for options, mark in (({}, EPHEMERAL), ({"cache_ttl": "5m"}, EPHEMERAL), ({"cache_ttl": "1h"}, EPHEMERAL | {"ttl": "1h"})):
            got = body(user("hi"), *turn("a"), *turn("b"), system="Be brief.", options=options)
            marked = [block.get("cache_control") for turn in got["messages"] for block in turn["content"]]
            assert marked == [None, None, mark, None, mark]
            assert (got["system"][0]["cache_control"], got["tools"][-1]["cache_control"]) == (mark, mark)
            assert "cache_control" not in got["tools"][0]

    def test_an_answer_by_a_schema(self) -> None:
        schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
        number = {"type": "integer", "description": '{"minimum": 1}'}
        shape = {"type": "object", "properties": {"n": number}, "additionalProperties": False}
        asked = Reasoning("high")
        got = body(output_schema=schema, reasoning=asked, model="claude-opus-5")["output_config"]
        assert got == {"effort": "high", "format": {"type": "json_schema", "schema": shape}}
        assert body(output_schema=schema)["output_config"] == {"format": {"type": "json_schema", "schema": shape}}

    def test_options(self) -> None:
        got = body(max_output_tokens=100, options={"temperature": 1, "top_p": 1, "thinking_budget": 2000, "reasoning_effort": "high"})
        assert got["max_tokens"] == 100
        assert not {"temperature", "top_p", "thinking", "output_config"} & got.keys()

    @pytest.mark.parametrize(
        ("model", "reasoning", "thinking", "effort"),
        [
            ("claude-opus-5", None, None, None),
            ("claude-opus-5", Reasoning(), None, None),
            ("claude-opus-5", Reasoning("xhigh"), ADAPTIVE, "xhigh"),
            ("claude-opus-5", Reasoning("minimal"), ADAPTIVE, "low"),
            ("claude-opus-5", Reasoning(budget_tokens=9000), ADAPTIVE, "high"),
            ("claude-opus-5", Reasoning("none"), DISABLED, None),
            ("claude-fable-5", Reasoning("none"), None, "low"),
            ("claude-sonnet-4-6", Reasoning("xhigh"), ADAPTIVE, "high"),
            ("claude-sonnet-4-6", Reasoning(budget_tokens=9000), {"type": "enabled", "budget_tokens": 9000}, None),
            ("claude-sonnet-4-6", Reasoning("low", 9000), {"type": "enabled", "budget_tokens": 9000}, "low"),
            ("claude-opus-4-5", Reasoning("max"), {"type": "enabled", "budget_tokens": 32768}, "high"),
            ("claude-haiku-4-5", Reasoning("low"), {"type": "enabled", "budget_tokens": 2048}, None),
            ("claude-haiku-4-5", Reasoning(budget_tokens=5), {"type": "enabled", "budget_tokens": 1024}, None),
            ("claude-haiku-4-5", Reasoning(budget_tokens=0), DISABLED, None),
            ("claude-3-5-haiku-20241022", Reasoning("high"), None, None),
            ("qwen3.5-plus", Reasoning("low"), {"type": "enabled", "budget_tokens": 2048}, None),
        ],
    )
    def test_reasoning(self, model: str, reasoning: Any, thinking: Any, effort: str | None) -> None:
        got = body(model=model, reasoning=reasoning)
        assert got.get("thinking") == thinking
        assert got.get("output_config") == ({"effort": effort} if effort else None)

    @pytest.mark.parametrize(
        ("model", "reasoning", "asked", "limit", "budget"),
        [
            ("claude-haiku-4-5", Reasoning("low"), None, 8192 + 2048, 2048),
            ("claude-opus-4-1", Reasoning("max"), None, 32_000, 24_000),
            ("claude-haiku-4-5", Reasoning("high"), 20_000, 20_000, 16_384),
            ("claude-haiku-4-5", Reasoning("high"), 4000, 4000, 3000),
            ("claude-haiku-4-5", Reasoning("low"), 1200, 1200, None),
            ("claude-haiku-4-5", Reasoning(budget_tokens=10), 1000, 1000, None),
            ("claude-opus-5", Reasoning("high"), None, 8192 + 16_384, None),
            ("claude-opus-5", Reasoning("none"), None, 8192, None),
            ("claude-opus-5", Reasoning("high"), 500, 500, None),
        ],
    )
    def test_the_answer_has_room_for_more_than_its_thinking(
        self, model: str, reasoning: Any, asked: int | None, limit: int, budget: int | None
    ) -> None:
        got = body(model=model, reasoning=reasoning, max_output_tokens=asked)
        assert (got["max_tokens"], got.get("thinking", {}).get("budget_tokens")) == (limit, budget)

    def test_thinking_does_not_begin_inside_another_models_tool_loop(self) -> None:
        loop = (Text("Checking."), ToolCall("a", "t", {}))
        asked = Reasoning(budget_tokens=2000)
        assert "thinking" not in body(user("hi"), Message("assistant", loop), reasoning=asked)
        thought = Thinking("hm", sealed(signature="c2ln"))
        assert "thinking" in body(user("hi"), Message("assistant", (thought, *loop)), reasoning=asked)
        assert "thinking" in body(user("hi"), Message("assistant", (Text("Hello."),)), user("and?"), reasoning=asked)
        assert "thinking" in body(user("hi"), Message("assistant", loop), reasoning=Reasoning("low"), model="claude-opus-5")


class TestDecode:
    def test_thinking_text_and_parallel_calls(self) -> None:
        got = fold(events(ANTHROPIC_TOOLS), provider="anthropic")
        assert got.message() == Message(
            "assistant",
            (
                Thinking("Two look-ups.", sealed(signature="EqQBCgIYAhIM1gbcDa9GJwZA2b3h==")),
                Text("Ich prüfe beides. 🔎"),
                ToolCall("call-1", "tickets__find", {"query": "Alice"}, None, sealed(id="toolu_01NRLabsLyVHZPKxbKvkfSMn")),
                ToolCall("call-2", "crm__customer.get", {"id": 7}, None, sealed(id="toolu_02")),
            ),
        )
        assert got.finish == Finished(FinishReason.TOOL_CALLS, "tool_use")
        assert got.usage == Usage(377, 89, 50, 100, 40, 12)

    def test_what_it_decoded_it_sends_back_byte_for_byte(self) -> None:
        answer = fold(events(ANTHROPIC_TOOLS), provider="anthropic").message()
        content = body(user("hi"), answer)["messages"][1]["content"]
        assert content[0] == {"type": "thinking", "thinking": "Two look-ups.", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h=="}
        assert content[2]["id"] == "toolu_01NRLabsLyVHZPKxbKvkfSMn"
        assert content[3]["name"] == CUSTOMER_GET

    def test_bug_10_the_input_is_reported_before_the_answer_begins(self) -> None:
        decoder = Decoder(request(), provider="anthropic")
        assert decoder.feed(START) == [UsageReported(Usage(3, 1))]

    def test_bug_08_pieces_of_two_calls_at_once_go_each_to_its_own(self) -> None:
        def start(index: int) -> bytes:
            block = {"type": "tool_use", "id": f"toolu_{index}", "name": "tickets__find", "input": {}}
            return named({"type": "content_block_start", "index": index, "content_block": block})

        pieces = ((0, '{"query":'), (1, '{"query":{}'), (0, '"x"}'), (1, "}"))
        deltas = [delta(index, type="input_json_delta", partial_json=piece) for index, piece in pieces]
        got = fold(events(START, start(0), start(1), *deltas, ending("tool_use")), provider="anthropic").message()
        assert [(call.arguments, call.malformed) for call in got.tool_calls] == [({"query": "x"}, None), ({"query": {}}, None)]

    def test_bug_09_cache_tokens_that_are_reported_twice_are_counted_once(self) -> None:
        counts = {"input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 50}
        start = named({"type": "message_start", "message": {"id": "msg_1", "usage": {**counts, "output_tokens": 1}}})
        got = fold(events(start, ending("end_turn", **counts, output_tokens=9)), provider="anthropic")
        assert got.usage == Usage(3, 9, 100, 50)

    def test_redacted_thinking(self) -> None:
        redacted = named({"type": "content_block_start", "index": 0, "content_block": {"type": "redacted_thinking", "data": "ZW5j=="}})
        got = fold(events(START, redacted, ending("end_turn")), provider="anthropic")
        assert got.message().parts == (Thinking("", sealed(redacted="ZW5j==")),)

    def test_blocks_that_begin_with_their_content(self) -> None:
        def start(index: int, **block: Any) -> bytes:
            return named({"type": "content_block_start", "index": index, "content_block": block})

        got = events(
            START,
            start(0, type="thinking", thinking="hm", signature="c2ln"),
            start(1, type="text", text="Hello"),
            start(2, type="tool_use", id="toolu_1", name="tickets__find", input={"query": "ü"}),
            named({"type": "content_block_stop", "index": 2}),
            named({"type": "content_block_stop", "index": 1}),
            start(3, type="tool_use", id="toolu_2", name="tickets__find", input={"query": "x"}),
            delta(3, type="input_json_delta", partial_json='{"query":"y"}'),
            named({"type": "content_block_stop", "index": 3}),
            ending("tool_use"),
        )
        assert got[1:-1] == [
            ThinkingDelta(0, "hm"),
            BlockData(0, "thinking", {"signature": "c2ln"}),
            TextDelta(1, "Hello"),
            ToolCallDelta(2, "tickets__find", "", "toolu_1"),
            ToolCallDelta(2, arguments='{"query": "ü"}'),
            ToolCallDelta(3, "tickets__find", "", "toolu_2"),
            ToolCallDelta(3, arguments='{"query":"y"}'),
        ]

    def test_what_is_not_ours_passes_silently(self) -> None:
        got = events(
            START,
            named({"type": "ping"}),
            named({"type": "a_new_event", "index": 0}),
            named(
                {
                    "type": "content_block_start",
                    "index": 0,
                    "content_block": {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                }
            ),
            delta(0, type="input_json_delta", partial_json='{"query"'),
            named({"type": "content_block_stop", "index": 0}),
            delta(1, type="citations_delta", citation={}),
            delta(1, type="text_delta", text=""),
            delta(1, type="thinking_delta", thinking=""),
            delta(1, type="signature_delta", signature=""),
            delta(1, type="text_delta", text="Hello"),
            ending("end_turn", output_tokens=5),
        )
        assert got[1:] == [TextDelta(1, "Hello"), UsageReported(Usage(output_tokens=5)), Finished(FinishReason.STOP, "end_turn")]

    @pytest.mark.parametrize(
        ("raw", "reason"),
        [
            ("end_turn", FinishReason.STOP),
            ("stop_sequence", FinishReason.STOP),
            ("max_tokens", FinishReason.LENGTH),
            ("model_context_window_exceeded", FinishReason.LENGTH),
            ("refusal", FinishReason.REFUSAL),
            ("pause_turn", FinishReason.OTHER),
            ("a_new_reason", FinishReason.OTHER),
            ("tool_use", FinishReason.OTHER),
        ],
    )
    def test_finish_reasons(self, raw: str, reason: FinishReason) -> None:
        assert events(START, ending(raw))[-1] == Finished(reason, raw)

    def test_a_refusal_that_says_nothing_is_explained(self) -> None:
        details = {"type": "refusal", "category": "cyber", "explanation": "This could enable harm."}
        refusing = named({"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details}, "usage": None})
        refused = Finished(FinishReason.REFUSAL, "refusal")
        assert events(START, refusing, refusing, STOP)[1:] == [TextDelta(-1, "This could enable harm."), refused]
        begun = named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "I"}})
        for said in (delta(0, type="text_delta", text="I"), begun):
            assert events(START, said, refusing, STOP)[1:] == [TextDelta(0, "I"), refused]

    def test_the_stop_reason_survives_a_later_delta_without_one(self) -> None:
        early = named({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 3}})
        assert events(START, early, ending(None))[-1] == Finished(FinishReason.LENGTH, "max_tokens")
        assert events(START, STOP)[-1] == Finished(FinishReason.OTHER, "")

    def test_bug_11_no_message_stop_is_no_success(self) -> None:
        whole = START + delta(0, type="text_delta", text="Hello")
        got, error = drain(Decoder(request(), provider="anthropic"), [whole])
        assert isinstance(error, StreamInterrupted)
        assert got[-1] == TextDelta(0, "Hello")

    def test_bug_14_a_second_message_start_never_merges_two_answers(self) -> None:
        got, error = drain(Decoder(request(), provider="anthropic"), [START, delta(0, type="text_delta", text="one"), START])
        assert got[-1] == TextDelta(0, "one")
        assert isinstance(error, StreamInterrupted)
        assert "second answer" in error.detail

    def test_an_error_event_raises_and_keeps_what_came(self) -> None:
        failing = named({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
        got, error = drain(Decoder(request(), provider="anthropic"), [START + delta(0, type="text_delta", text="Hello") + failing])
        assert got[-1] == TextDelta(0, "Hello")
        assert isinstance(error, Overloaded)
        assert error.detail == "The provider is overloaded or failing: Overloaded."

    def test_a_stream_that_lacks_its_last_blank_line_is_whole(self) -> None:
        assert events(START, ending("end_turn").rstrip(b"\n"))[-1] == Finished(FinishReason.STOP, "end_turn")
