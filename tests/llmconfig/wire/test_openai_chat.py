"""The Chat Completions wire, as OpenAI documents it and as its imitators bend it."""

from __future__ import annotations

from typing import Any

import pytest

from llmconfig.llm import (
    Finished,
    FinishReason,
    InvalidRequest,
    Media,
    Message,
    Overloaded,
    ProviderData,
    RateLimited,
    Reasoning,
    StreamInterrupted,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolResult,
    Usage,
    UsageReported,
)
from llmconfig.wire.openai_chat import Decoder, encode
from tests.llmconfig.wire.streams import (
    CHAT_TOOLS,
    CHAT_USAGE,
    CUSTOMER_GET,
    DONE,
    TOOLS,
    chat_chunk,
    decode,
    drain,
    fold,
    request,
    unnamed,
    user,
)

HELLO = chat_chunk({"content": "Hello"})
STOP = chat_chunk({}, "stop")
USAGE = chat_chunk(choices=[], usage=CHAT_USAGE)
STOPPED = Finished(FinishReason.STOP, "stop")
REPORTED = UsageReported(Usage(200, 60, 300, None, None, 20))
STRICT = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
PICTURE = Media("image", "image/png", b"\x00")
URL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def sealed(**data: Any) -> ProviderData:
    return ProviderData("p", "model-1", data)


def body(*messages: Message, **more: Any) -> dict[str, Any]:
    return encode(request(*messages, **more), provider="p")


def events(*chunks: bytes) -> list[Any]:
    return decode(Decoder(request(), provider="p"), *chunks)


class TestEncode:
    def test_a_whole_conversation(self) -> None:
        calls = (ToolCall("a", "tickets__find", {"query": "Ä"}, None, sealed(id="call_a")), ToolCall("b", "crm__customer.get", {"id": 7}))
        got = body(
            user("Who is"),
            user("Alice?"),
            Message("assistant", (Thinking("hm", sealed(x=1)), *calls)),
            Message("tool", (ToolResult("b", (Text("gone"),), is_error=True), ToolResult("a", (Text("one"),)))),
            Message("assistant", (Text("Done."),)),
            system="Be brief.",
            max_output_tokens=50,
        )
        assert got == {
            "model": "model-1",
            "stream": True,
            "stream_options": {"include_usage": True},
            "tools": [
                {"type": "function", "function": {"name": name, "description": tool.description, "parameters": tool.input_schema}}
                for tool, name in zip(TOOLS, ("tickets__find", CUSTOMER_GET), strict=True)
            ],
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Who is\n\nAlice?"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "call_a", "type": "function", "function": {"name": "tickets__find", "arguments": '{"query":"Ä"}'}},
                        {"id": "b", "type": "function", "function": {"name": CUSTOMER_GET, "arguments": '{"id":7}'}},
                    ],
                },
                {"role": "tool", "tool_call_id": "call_a", "content": "one"},
                {"role": "tool", "tool_call_id": "b", "content": "Error: gone"},
                {"role": "assistant", "content": "Done."},
            ],
            "max_tokens": 50,
        }

    def test_only_what_is_set_is_sent(self) -> None:
        assert encode(request(tools=()), provider="p").keys() == {"model", "stream", "stream_options", "messages"}

    def test_options(self) -> None:
        got = body(options={"temperature": 0.2, "top_p": 0.9, "reasoning_effort": "low", "thinking_budget": 5})
        assert (got["temperature"], got["top_p"]) == (0.2, 0.9)
        assert not {"thinking_budget", "reasoning_effort"} & got.keys()

    @pytest.mark.parametrize(
        ("model", "asked", "effort"),
        [
            ("llama-4", Reasoning("low"), "low"),
            ("llama-4", Reasoning("max"), "high"),
            ("llama-4", Reasoning(budget_tokens=0), "none"),
            ("llama-4", Reasoning(), None),
            ("openai/gpt-5.6", Reasoning("max"), "max"),
            ("gpt-4o", Reasoning("low"), None),
        ],
    )
    def test_reasoning(self, model: str, asked: Any, effort: str | None) -> None:
        assert body(model=model, reasoning=asked).get("reasoning_effort") == effort

    @pytest.mark.parametrize(("schema", "strict"), [(STRICT, True), ({"type": "object"}, False)])
    def test_an_answer_by_a_schema(self, schema: dict[str, Any], strict: bool) -> None:
        shape = {"name": "answer", "schema": schema, "strict": strict}
        assert body(output_schema=schema)["response_format"] == {"type": "json_schema", "json_schema": shape}

    def test_only_openai_itself_is_told_what_may_be_cached(self) -> None:
        asked = request(cache_key="conversation-1")
        assert "prompt_cache_key" not in encode(asked, provider="groq")
        assert encode(asked, provider="azure_openai")["prompt_cache_key"] == "conversation-1"

    def test_media_inline(self) -> None:
        parts = (
            Text("see"),
            PICTURE,
            Media("document", "application/pdf", b"\xff"),
            Media("audio", "audio/x-wav", b"\x00"),
            Media("audio", "audio/mpeg", b"\x00"),
        )
        assert body(Message("user", parts))["messages"][0]["content"] == [
            {"type": "text", "text": "see"},
            URL,
            {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,/w=="}},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
        ]

    @pytest.mark.parametrize(("kind", "media_type"), [("audio", "audio/ogg"), ("document", "text/csv"), ("video", "video/mp4")])
    def test_media_that_the_wire_cannot_carry_is_refused_by_name(self, kind: Any, media_type: str) -> None:
        with pytest.raises(InvalidRequest, match=f"{kind} .{media_type}"):
            body(Message("user", (Media(kind, media_type, b""),)))

    def test_media_that_tools_return_follow_their_results(self) -> None:
        call, result = (
            Message("assistant", (ToolCall("a", "t", {}),)),
            ToolResult("a", (Text("one"), PICTURE, Media("video", "video/mp4", b""))),
        )
        returned = [
            {"type": "text", "text": "The tools returned:"},
            URL,
        ]
        said = "one\n\n[video left out: this model cannot take video/mp4]"
        results = (call, Message("tool", (result,)))
        alone = body(user("hi"), *results)["messages"]
        assert alone[2:] == [{"role": "tool", "tool_call_id": "a", "content": said}, {"role": "user", "content": returned}]
        answered = body(user("hi"), *results, Message("assistant", (Text("ok"),)))["messages"]
        assert answered[3:] == [{"role": "user", "content": returned}, {"role": "assistant", "content": "ok"}]
        followed = body(user("hi"), *results, user("and?"))["messages"]
        assert followed[3:] == [{"role": "user", "content": [*returned, {"type": "text", "text": "and?"}]}]


class TestDecode:
    def test_text_and_parallel_calls(self) -> None:
        got = fold(events(CHAT_TOOLS))
        assert got.message() == Message(
            "assistant",
            (
                Text("Ich prüfe beides. 🔎"),
                ToolCall("call-1", "tickets__find", {"query": "Alice"}, None, sealed(id="call_a")),
                ToolCall("call-2", "crm__customer.get", {"id": 7}, None, sealed(id="call_b")),
            ),
        )
        assert got.finish == Finished(FinishReason.TOOL_CALLS, "tool_calls")
        assert got.usage == Usage(200, 60, 300, None, None, 20)

    def test_the_end_is_held_back_until_the_usage_is_in(self) -> None:
        decoder = Decoder(request(), provider="p")
        assert decoder.feed(HELLO + STOP) == [TextDelta(0, "Hello")]
        assert decoder.feed(USAGE) == [REPORTED, STOPPED]
        assert decoder.feed(DONE) == decoder.flush() == []
        decoder.close()

    def test_from_its_finish_reason_on_an_answer_is_whole(self) -> None:
        decoder = Decoder(request(), provider="p")
        told = []
        for chunk in (HELLO, STOP, USAGE, DONE):
            decoder.feed(chunk)
            told.append(decoder.is_whole)
        assert told == [False, True, True, True]

    def test_servers_that_leave_out_done_or_usage_or_both_are_believed(self) -> None:
        assert events(HELLO, STOP, USAGE) == [TextDelta(0, "Hello"), REPORTED, STOPPED]
        assert events(HELLO, STOP, DONE) == [TextDelta(0, "Hello"), STOPPED]
        assert events(HELLO, STOP) == [TextDelta(0, "Hello"), STOPPED]
        assert events(HELLO, STOP.rstrip(b"\n")) == [TextDelta(0, "Hello"), STOPPED]

    def test_bug_11_no_finish_reason_is_no_success(self) -> None:
        running = chat_chunk({"content": "Hello"}, usage=CHAT_USAGE)
        for stream in ([HELLO], [HELLO, USAGE], [HELLO, DONE], [running, DONE], [chat_chunk({}, usage={"prompt_tokens": 5}), HELLO, DONE]):
            _, error = drain(Decoder(request(), provider="p"), stream)
            assert isinstance(error, StreamInterrupted)

    @pytest.mark.parametrize("counted", [USAGE, chat_chunk({}, usage=CHAT_USAGE), chat_chunk({"role": "assistant"}, usage=CHAT_USAGE)])
    def test_done_behind_the_usage_is_an_end(self, counted: bytes) -> None:
        assert events(HELLO, counted, DONE) == [TextDelta(0, "Hello"), REPORTED, Finished(FinishReason.OTHER, "")]
        call = chat_chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "t", "arguments": "{}"}}]})
        assert events(call, counted, DONE)[-1] == Finished(FinishReason.TOOL_CALLS, "")

    def test_close_without_flush_never_hides_a_held_back_end(self) -> None:
        decoder = Decoder(request(), provider="p")
        decoder.feed(HELLO + STOP)
        with pytest.raises(StreamInterrupted):
            decoder.close()

    def test_usage_in_every_chunk(self) -> None:
        counts = [{"prompt_tokens": 5, "completion_tokens": n} for n in (1, 2, 3)]
        got = events(
            chat_chunk({"content": "a"}, usage=counts[0]),
            chat_chunk({}, "stop", usage=counts[1]),
            chat_chunk(choices=[], usage=counts[2]),
            DONE,
        )
        assert got == [TextDelta(0, "a"), *(UsageReported(Usage(5, n)) for n in (1, 2, 3)), STOPPED]

    def test_bug_13_choices_null_or_empty_and_azures_filter_chunks(self) -> None:
        results = {"hate": {"filtered": False, "severity": "safe"}}
        prompt = unnamed(
            {"choices": [], "created": 0, "id": "", "model": "", "prompt_filter_results": [{"content_filter_results": results}]}
        )
        filtered = {"content_filter_offsets": {"start_offset": 0}, "content_filter_results": results, "finish_reason": None, "index": 0}
        assert events(
            prompt,
            unnamed({"choices": None, "usage": None}),
            unnamed({"choices": [filtered]}),
            HELLO,
            unnamed({"choices": [{**filtered, "delta": None}]}),
            STOP,
            unnamed({"choices": [filtered]}),
            unnamed({}),
            DONE,
        ) == [TextDelta(0, "Hello"), STOPPED]

    def test_azures_filter_may_overrule_the_end(self) -> None:
        assert events(HELLO, STOP, chat_chunk({}, "content_filter"), DONE)[-1] == Finished(FinishReason.CONTENT_FILTER, "content_filter")

    @pytest.mark.parametrize(
        "thoughts",
        [
            [{"reasoning_content": "Let me"}, {"reasoning_content": " see", "content": None}],
            [{"reasoning": "Let me"}, {"reasoning": " see"}],
            [{"reasoning": "Let me", "reasoning_content": "Let me"}, {"reasoning": " see", "reasoning_content": " see"}],
            [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Let me see"}]}]}],
        ],
    )
    def test_reasoning_by_any_name_is_thinking_and_not_doubled(self, thoughts: list[dict[str, Any]]) -> None:
        got = fold(events(*map(chat_chunk, thoughts), HELLO, STOP, DONE))
        assert got.message().parts == (Thinking("Let me see"), Text("Hello"))

    def test_reasoning_of_an_unknown_shape_is_passed_over(self) -> None:
        assert events(chat_chunk({"reasoning": {"effort": "low"}}), HELLO, STOP, DONE) == [TextDelta(0, "Hello"), STOPPED]

    def test_content_as_a_list_of_parts(self) -> None:
        listed = chat_chunk({"content": [{"type": "text", "text": "Hello"}, {"type": "reference", "ids": [1]}]})
        assert events(listed, STOP, DONE) == [TextDelta(0, "Hello"), STOPPED]

    def test_thinking_text_and_calls_are_blocks_of_their_own(self) -> None:
        call = {"index": 0, "id": "a", "function": {"name": "t", "arguments": ""}}
        got = events(
            chat_chunk({"reasoning": "hm"}),
            chat_chunk({"tool_calls": [call]}),
            HELLO,
            chat_chunk({"tool_calls": [{**call, "id": "b"}]}),
            STOP,
            DONE,
        )
        assert [event.index for event in got[:-1]] == [0, 1, 2, 3]
        assert got[0] == ThinkingDelta(0, "hm")

    @pytest.mark.parametrize(
        ("raw", "reason"),
        [
            ("stop", FinishReason.STOP),
            ("length", FinishReason.LENGTH),
            ("content_filter", FinishReason.CONTENT_FILTER),
            ("tool_calls", FinishReason.OTHER),
            ("eos", FinishReason.STOP),
            ("model_length", FinishReason.LENGTH),
            ("end_turn", FinishReason.STOP),
            ("abort", FinishReason.OTHER),
        ],
    )
    def test_finish_reasons(self, raw: str, reason: FinishReason) -> None:
        assert events(HELLO, chat_chunk({}, raw), DONE)[-1] == Finished(reason, raw)

    def test_stop_with_calls_means_the_calls(self) -> None:
        call = chat_chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "t", "arguments": "{}"}}]})
        assert events(call, STOP, DONE)[-1] == Finished(FinishReason.TOOL_CALLS, "stop")
        assert events(call, chat_chunk({}, "eos"), DONE)[-1] == Finished(FinishReason.TOOL_CALLS, "eos")
        assert events(call, chat_chunk({}, "length"), DONE)[-1] == Finished(FinishReason.LENGTH, "length")

    def test_a_refusal_is_text_with_its_own_reason(self) -> None:
        got = events(chat_chunk({"refusal": "I cannot."}), STOP, DONE)
        assert got == [TextDelta(0, "I cannot."), Finished(FinishReason.REFUSAL, "refusal")]
        assert events(chat_chunk({"refusal": "I"}), chat_chunk({}, "length"), DONE)[-1].reason is FinishReason.LENGTH

    def test_what_a_failure_has_cost(self) -> None:
        """As OpenRouter sends it (recorded of minimax-m2): behind the end, with the tokens."""
        failure = unnamed({"error": {"code": 400, "message": "Token limit reached"}, "choices": [{"delta": {}}], "usage": CHAT_USAGE})
        got, raised = drain(Decoder(request(), provider="p"), [HELLO, chat_chunk({}, "length"), failure, DONE])
        assert (got, type(raised)) == ([TextDelta(0, "Hello"), REPORTED], InvalidRequest)

    @pytest.mark.parametrize(
        ("failing", "error"),
        [
            (unnamed({"error": {"message": "slow", "type": "rate_limit_exceeded", "code": None}}), RateLimited),
            (unnamed({"error": {"code": 429, "message": "slow"}, "choices": [{"delta": {}, "finish_reason": "error"}]}), RateLimited),
            (unnamed({"error": "CUDA out of memory"}), Overloaded),
            (unnamed({"object": "error", "message": "slow", "type": "TooManyRequests", "param": None, "code": 429}), RateLimited),
            (chat_chunk({}, "error") + DONE, Overloaded),
            (chat_chunk({}, "error"), Overloaded),
            (chat_chunk({}, "insufficient_system_resource") + DONE, Overloaded),
        ],
    )
    def test_a_failure_in_the_stream_raises_and_keeps_what_came(self, failing: bytes, error: type[Exception]) -> None:
        got, raised = drain(Decoder(request(), provider="p"), [HELLO + failing])
        assert got == [TextDelta(0, "Hello")]
        assert type(raised) is error

    def test_a_message_in_place_of_a_delta_is_read_like_one(self) -> None:
        said = {"role": "assistant", "reasoning_content": "hm", "content": "Hello"}
        whole = unnamed({"choices": [{"index": 0, "message": said, "finish_reason": "stop"}]})
        assert events(whole, DONE) == [TextDelta(0, "Hello"), ThinkingDelta(1, "hm"), STOPPED]
        pieces = [unnamed({"choices": [{"index": 0, "message": {"content": piece}}]}) for piece in ("Hel", "lo")]
        assert events(*pieces, STOP, DONE) == [TextDelta(0, "Hel"), TextDelta(0, "lo"), STOPPED]

    def test_a_message_behind_deltas_repeats_them(self) -> None:
        repeated = unnamed({"choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]})
        assert events(unnamed({"choices": [{"index": 0}]}), HELLO, repeated, DONE) == [TextDelta(0, "Hello"), STOPPED]


class TestDocument:
    """A server that does not stream."""

    def test_it_is_decoded_like_the_stream_it_stands_for(self) -> None:
        calls = [
            {"id": "call_a", "type": "function", "function": {"name": "tickets__find", "arguments": '{"query": "Alice"}'}},
            {"id": "call_b", "type": "function", "function": {"name": CUSTOMER_GET, "arguments": '{"id": 7}'}},
        ]
        got = fold(document({"content": "Ich prüfe beides. 🔎", "refusal": None, "tool_calls": calls}, "tool_calls", usage=CHAT_USAGE))
        streamed = fold(events(CHAT_TOOLS))
        assert (got.message(), got.finish, got.usage) == (streamed.message(), streamed.finish, streamed.usage)

    def test_calls_without_ids_are_calls_of_their_own(self) -> None:
        call = {"function": {"name": "t", "arguments": {"a": 1}}}
        assert len(fold(document({"content": None, "tool_calls": [call, call]}, "stop")).message().tool_calls) == 2

    def test_reasoning_and_refusal(self) -> None:
        got = document({"reasoning": "hm", "refusal": "I cannot."}, "stop")
        assert got == [ThinkingDelta(0, "hm"), TextDelta(1, "I cannot."), Finished(FinishReason.REFUSAL, "refusal")]

    def test_without_a_finish_reason_it_is_believed_where_it_says_something(self) -> None:
        assert document({"content": "Hello"}, None) == [TextDelta(0, "Hello"), Finished(FinishReason.OTHER, "")]
        assert document({"content": ""}, "stop") == [STOPPED]

    @pytest.mark.parametrize(
        "value",
        [
            {},
            {"choices": []},
            {"choices": None},
            {"choices": [{"message": None, "finish_reason": "stop"}]},
            {"choices": [{"delta": {"content": "a"}}]},
            {"choices": [{"message": {"role": "assistant", "content": ""}, "finish_reason": None}]},
        ],
    )
    def test_what_is_no_answer_gives_no_events(self, value: dict[str, Any]) -> None:
        assert Decoder(request(), provider="p").document(value) == []

    def test_what_cannot_be_read_is_an_interruption(self) -> None:
        with pytest.raises(StreamInterrupted, match="cannot be read"):
            Decoder(request(), provider="p").document({"choices": [7, {"message": {"content": "a"}}]})

    def test_an_answer_that_failed(self) -> None:
        with pytest.raises(Overloaded):
            document({"content": "Hel"}, "error")


def document(message: dict[str, Any], finish: str | None, **more: Any) -> list[Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return Decoder(request(), provider="p").document({"object": "chat.completion", "choices": [choice], **more})


def test_groq_counts_in_a_field_of_its_own() -> None:
    counts = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
    events = decode(Decoder(request(), provider="p"), HELLO, chat_chunk({}, "stop", x_groq={"id": "req_1", "usage": counts}), DONE)
    assert UsageReported(Usage(30, 12)) in events
    assert events[-1] == STOPPED


@pytest.mark.parametrize("error", ["over capacity", {"message": "over capacity", "type": "server_error"}])
def test_groq_says_why_it_stops_early(error: object) -> None:
    events, failure = drain(Decoder(request(), provider="p", label="Groq"), [HELLO, chat_chunk({}, x_groq={"error": error})])
    assert len(events) == 1
    assert isinstance(failure, Overloaded)
    assert "over capacity" in failure.detail
