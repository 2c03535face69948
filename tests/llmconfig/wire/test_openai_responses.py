"""The Responses wire: stateless bodies, typed events."""

from __future__ import annotations

from typing import Any

import pytest

from llmconfig.llm import (
    BlockData,
    ContentFiltered,
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
    ToolCallDelta,
    ToolResult,
    Usage,
    UsageReported,
)
from llmconfig.wire.openai_responses import Decoder, encode
from tests.llmconfig.wire.streams import CUSTOMER_GET, RESPONSES_TOOLS, TOOLS, decode, drain, fold, named, request, user

REASONING = {
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "**Looking up**"}, {"type": "summary_text", "text": "Both at once"}],
    "encrypted_content": "gAAAAABwhole==",
}
STRICT = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
PICTURE = Media("image", "image/png", b"\x00")


def sealed(**data: Any) -> ProviderData:
    return ProviderData("openai", "model-1", data)


def body(*messages: Message, **more: Any) -> dict[str, Any]:
    return encode(request(*messages, **more), provider="openai")


def event(type_: str, output_index: int = 0, **more: Any) -> bytes:
    return named({"type": f"response.{type_}", "output_index": output_index, "sequence_number": 1, **more})


def text(delta: str) -> bytes:
    return event("output_text.delta", content_index=0, delta=delta, logprobs=[])


def ended(status: str = "completed", **response: Any) -> bytes:
    return event(status, response={"id": "resp_1", "status": status, "incomplete_details": None, **response})


def events(*chunks: bytes) -> list[Any]:
    return decode(Decoder(request(), provider="openai"), *chunks)


class TestEncode:
    def test_a_whole_conversation(self) -> None:
        answer = Message(
            "assistant",
            (
                Thinking("hm", sealed(**REASONING)),
                Text("Checking.", sealed(phase="commentary")),
                ToolCall("a", "tickets__find", {"query": "Ä"}, None, sealed(id="call_a")),
                ToolCall("b", "crm__customer.get", {"id": 7}),
            ),
        )
        results = Message("tool", (ToolResult("b", (Text("gone"),), is_error=True), ToolResult("a", (Text("one"), PICTURE))))
        got = body(user("Who is Alice?"), answer, results, system="Be brief.", max_output_tokens=50)
        assert got == {
            "model": "model-1",
            "stream": True,
            "store": False,
            "include": ["reasoning.encrypted_content"],
            "instructions": "Be brief.",
            "tools": [
                {"type": "function", "name": name, "description": tool.description, "parameters": tool.input_schema, "strict": False}
                for tool, name in zip(TOOLS, ("tickets__find", CUSTOMER_GET), strict=True)
            ],
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Who is Alice?"}]},
                {"type": "reasoning", **REASONING},
                {"role": "assistant", "content": "Checking.", "phase": "commentary"},
                {"type": "function_call", "call_id": "call_a", "name": "tickets__find", "arguments": '{"query":"Ä"}'},
                {"type": "function_call", "call_id": "b", "name": CUSTOMER_GET, "arguments": '{"id":7}'},
                {
                    "type": "function_call_output",
                    "call_id": "call_a",
                    "output": [
                        {"type": "input_text", "text": "one"},
                        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AA=="},
                    ],
                },
                {"type": "function_call_output", "call_id": "b", "output": "Error: gone"},
            ],
            "max_output_tokens": 50,
        }

    def test_only_what_is_set_is_sent(self) -> None:
        assert encode(request(tools=()), provider="openai").keys() == {"model", "stream", "store", "include", "input"}

    def test_options(self) -> None:
        got = body(options={"temperature": 0.2, "top_p": 0.9, "reasoning_effort": "low", "thinking_budget": 5, "x": 1})
        assert (got["temperature"], got["top_p"]) == (0.2, 0.9)
        assert not {"reasoning", "thinking_budget", "x", "reasoning_effort"} & got.keys()

    @pytest.mark.parametrize(("schema", "strict"), [(STRICT, True), ({"type": "object"}, False)])
    def test_an_answer_by_a_schema(self, schema: dict[str, Any], strict: bool) -> None:
        shape = {"type": "json_schema", "name": "answer", "schema": schema, "strict": strict}
        assert body(output_schema=schema)["text"] == {"format": shape}

    def test_what_may_be_cached(self) -> None:
        got = body(cache_key="conversation-1", options={"prompt_cache_retention": "24h"})
        assert (got["prompt_cache_key"], got["prompt_cache_retention"]) == ("conversation-1", "24h")

    @pytest.mark.parametrize(
        ("asked", "options", "reasoning"),
        [
            (Reasoning("low"), {"reasoning_summary": True}, {"effort": "low", "summary": "auto"}),
            (Reasoning("low"), {"reasoning_summary": False}, {"effort": "low"}),
            (Reasoning("none"), {"reasoning_summary": True}, {"effort": "none"}),
            (Reasoning(budget_tokens=9000), {}, {"effort": "high"}),
            (Reasoning("low"), {"encrypted_reasoning": False}, None),
            (Reasoning(), {}, None),
            (None, {"reasoning_summary": True}, None),
        ],
    )
    def test_reasoning_and_its_summaries_where_the_config_says_so(
        self, asked: Any, options: dict[str, Any], reasoning: dict[str, str] | None
    ) -> None:
        assert body(reasoning=asked, options=options).get("reasoning") == reasoning

    @pytest.mark.parametrize(("model", "effort"), [("gpt-5.1", "none"), ("gpt-5", "minimal"), ("o4-mini", "low"), ("gpt-5-pro", "high")])
    def test_a_word_that_the_model_does_not_know_means_the_nearest(self, model: str, effort: str) -> None:
        assert body(model=model, reasoning=Reasoning("none"))["reasoning"] == {"effort": effort}

    @pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "ft:gpt-4o-mini:acme::1", "chatgpt-4o-latest", "gpt-5-chat-latest"])
    def test_models_without_reasoning_are_not_asked_for_it(self, model: str) -> None:
        got = body(model=model, reasoning=Reasoning("high"))
        assert not {"include", "reasoning"} & got.keys()

    @pytest.mark.parametrize("model", ["gpt-5", "gpt-5.4-mini", "o4-mini", "our-deployment"])
    def test_any_other_model_is(self, model: str) -> None:
        assert body(model=model)["include"] == ["reasoning.encrypted_content"]
        assert "include" not in body(model=model, options={"encrypted_reasoning": False})

    def test_a_deployment_named_like_another_model_is_what_it_is_said_to_be(self) -> None:
        assert "include" in body(model="gpt-4o", options={"encrypted_reasoning": True})

    def test_bug_01_04_reasoning_goes_back_only_sealed_by_the_same_model_and_with_its_follower(self) -> None:
        foreign = Thinking("hm", ProviderData("openai", "model-0", REASONING))
        unsealed = Thinking("hm", sealed(id="rs_1", summary=[]))
        alone = Thinking("hm", sealed(**REASONING))
        got = body(user("hi"), Message("assistant", (foreign, unsealed, Text("ok"), alone)))
        assert got["input"][1:] == [{"role": "assistant", "content": "ok"}]

    def test_media_inline(self) -> None:
        got = body(Message("user", (Media("document", "application/pdf", b"\xff", "a.pdf"), Media("document", "application/pdf", b""))))
        assert got["input"][0]["content"] == [
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,/w=="},
            {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,"},
        ]

    def test_uploaded_media_are_named(self) -> None:
        parts = (
            Media("image", "image/png", b"\x00", uploaded="file-1"),
            Media("document", "application/pdf", b"\xff", uploaded="file-2"),
        )
        assert body(Message("user", parts))["input"][0]["content"] == [
            {"type": "input_image", "detail": "auto", "file_id": "file-1"},
            {"type": "input_file", "file_id": "file-2"},
        ]

    @pytest.mark.parametrize(("kind", "media_type"), [("audio", "audio/wav"), ("document", "text/csv"), ("video", "video/mp4")])
    def test_media_that_the_wire_cannot_carry_is_refused_by_name(self, kind: Any, media_type: str) -> None:
        with pytest.raises(InvalidRequest, match=f"{kind} .{media_type}"):
            body(Message("user", (Media(kind, media_type, b""),)))

    def test_a_tool_that_returns_such_media_does_not_end_the_conversation(self) -> None:
        result = ToolResult("a", (Media("audio", "audio/wav", b""),))
        got = body(user("hi"), Message("assistant", (ToolCall("a", "t", {}),)), Message("tool", (result,)))
        assert "audio left out" in got["input"][2]["output"]


class TestDecode:
    def test_reasoning_text_and_parallel_calls(self) -> None:
        got = fold(events(RESPONSES_TOOLS), provider="openai")
        assert got.message() == Message(
            "assistant",
            (
                Thinking("**Looking up**\n\nBoth at once", sealed(**REASONING)),
                Text("Ich prüfe beides.", sealed(phase="commentary")),
                ToolCall("call-1", "tickets__find", {"query": "Alice"}, None, sealed(id="call_a")),
                ToolCall("call-2", "crm__customer.get", {"id": 7}, None, sealed(id="call_b")),
            ),
        )
        assert got.finish == Finished(FinishReason.TOOL_CALLS, "completed")
        assert got.usage == Usage(100, 60, 300, 100, None, 20)

    def test_what_it_decoded_it_sends_back_byte_for_byte(self) -> None:
        answer = fold(events(RESPONSES_TOOLS), provider="openai").message()
        items = body(user("hi"), answer)["input"]
        assert items[1] == {"type": "reasoning", **REASONING}
        assert items[2] == {"role": "assistant", "content": "Ich prüfe beides.", "phase": "commentary"}
        assert [item["call_id"] for item in items[3:5]] == ["call_a", "call_b"]

    def test_reasoning_of_an_open_model_is_shown_and_not_echoed(self) -> None:
        item = {"id": "rs_1", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
        got = events(event("reasoning_text.delta", content_index=0, delta="hm"), event("output_item.done", item=item), ended())
        assert got == [ThinkingDelta(0, "hm"), Finished(FinishReason.STOP, "completed")]

    def test_bug_08_a_call_told_late_or_whole_is_not_lost(self) -> None:
        late = {"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "tickets__find", "arguments": '{"query":"x"}'}
        whole = {"type": "function_call", "id": "fc_2", "call_id": "call_b", "name": "tickets__find", "arguments": '{"query":"y"}'}
        got = fold(
            events(
                event("function_call_arguments.delta", 0, delta='{"query":"x"}'),
                event("output_item.done", 0, item=late),
                event("output_item.added", 1, item={**whole, "name": "", "arguments": ""}),
                event("output_item.done", 1, item=whole),
                event("output_item.added", 2, item={**whole, "arguments": ""}),
                event("output_item.done", 2, item={**whole, "arguments": ""}),
                event("output_item.added", 3, item={**whole, "arguments": ""}),
                event("function_call_arguments.done", 3, arguments='{"query":"z"}'),
                ended(),
            )
        ).message()
        assert [(call.name, call.arguments) for call in got.tool_calls] == [
            ("tickets__find", {"query": "x"}),
            ("tickets__find", {"query": "y"}),
            ("tickets__find", {}),
            ("tickets__find", {"query": "z"}),
        ]

    def test_an_answer_that_only_the_last_event_carries(self) -> None:
        call = {"type": "function_call", "call_id": "call_a", "name": "tickets__find", "arguments": '{"query":"x"}'}
        text = {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}
        last = {"response": {"status": "completed", "output": [text, call]}}
        whole = fold(events(event("completed", **last))).message()
        assert (whole.text, [call.arguments for call in whole.tool_calls]) == ("Hello", [{"query": "x"}])
        said = fold(events(event("output_text.delta", 1, content_index=0, delta="Hi"), event("completed", **last))).message()
        assert (said.text, said.tool_calls) == ("Hi", ())

    def test_text_that_only_the_finished_item_carries(self) -> None:
        content = [{"type": "output_text", "text": "Hello"}, {"type": "output_text", "text": ""}]
        got = events(event("output_item.done", item={"type": "message", "content": content}), ended())
        assert got[0] == TextDelta(0, "Hello")
        assert len(got) == 2

    def test_a_refusal_is_text_with_its_own_reason(self) -> None:
        assert events(event("refusal.delta", content_index=0, delta="I cannot."), ended()) == [
            TextDelta(0, "I cannot."),
            Finished(FinishReason.REFUSAL, "refusal"),
        ]
        done = {"type": "message", "content": [{"type": "refusal", "refusal": "I cannot."}]}
        assert events(event("output_item.done", item=done), ended())[-1].reason is FinishReason.REFUSAL

    @pytest.mark.parametrize(
        ("reason", "finish"),
        [
            ("max_output_tokens", FinishReason.LENGTH),
            ("content_filter", FinishReason.CONTENT_FILTER),
            ("steered", FinishReason.OTHER),
            ("max_messages", FinishReason.OTHER),
        ],
    )
    def test_an_incomplete_answer_says_why(self, reason: str, finish: FinishReason) -> None:
        got = events(text("Hel"), ended("incomplete", incomplete_details={"reason": reason}))
        assert got == [TextDelta(0, "Hel"), Finished(finish, reason)]

    def test_bug_09_usage_without_details_stays_unknown_there(self) -> None:
        got = events(ended(usage={"input_tokens": 5, "output_tokens": 2}))
        assert got[0] == UsageReported(Usage(5, 2))

    @pytest.mark.parametrize(
        ("failing", "error"),
        [
            (ended("failed", error={"code": "server_error", "message": "oops"}), Overloaded),
            (ended("failed", error={"code": "rate_limit_exceeded", "message": "slow"}), RateLimited),
            (ended("failed", error={"code": "invalid_prompt", "message": "flagged"}), ContentFiltered),
            (ended("failed", error=None), Overloaded),
            (named({"type": "response.failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}), RateLimited),
            (named({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": None}), RateLimited),
            (named({"type": "error", "error": {"type": "server_error", "message": "oops"}}), Overloaded),
        ],
    )
    def test_a_failure_in_the_stream_raises_and_keeps_what_came(self, failing: bytes, error: type[Exception]) -> None:
        got, raised = drain(Decoder(request(), provider="openai"), [text("Hel") + failing])
        assert got == [TextDelta(0, "Hel")]
        assert type(raised) is error

    def test_it_has_begun_with_its_first_item(self) -> None:
        """A reasoning item says nothing for as long as the model thinks; Azure and OpenAI then send keepalives."""
        decoder = Decoder(request(), provider="openai")
        created = named({"type": "response.created", "response": {}})
        seen = [decoder.feed(piece) or decoder.has_begun for piece in (created, event("output_item.added", item={"type": "reasoning"}))]
        assert seen == [False, True]

    def test_a_failed_answer_still_reports_its_usage(self) -> None:
        failing = ended("failed", error={"code": "server_error", "message": "oops"}, usage={"input_tokens": 5, "output_tokens": 2})
        got, raised = drain(Decoder(request(), provider="openai"), [failing])
        assert got == [UsageReported(Usage(5, 2))]
        assert isinstance(raised, Overloaded)

    def test_bug_11_no_terminal_event_is_no_success(self) -> None:
        got, error = drain(Decoder(request(), provider="openai"), [text("Hel"), b"data: [DONE]\n\n"])
        assert got == [TextDelta(0, "Hel")]
        assert isinstance(error, StreamInterrupted)

    def test_bug_14_a_second_answer_is_never_merged(self) -> None:
        created = event("created", response={"id": "resp_1"})
        _, error = drain(Decoder(request(), provider="openai"), [created, text("one"), created])
        assert isinstance(error, StreamInterrupted)

    def test_what_is_not_ours_passes_silently(self) -> None:
        search = {"type": "web_search_call", "id": "ws_1"}
        got = events(
            event("queued", response={}),
            event("output_item.added", item=search),
            event("output_item.done", item=search),
            event("reasoning_summary_part.added", 1, summary_index=0),
            event("a_new_event"),
            event("output_text.delta", 2, content_index=0, delta="Hello"),
            ended(),
        )
        assert got == [TextDelta(0, "Hello"), Finished(FinishReason.STOP, "completed")]

    def test_parts_of_one_message_are_blocks_of_their_own(self) -> None:
        got = events(text("a"), event("output_text.delta", content_index=1, delta="b"), text("c"), ended())
        assert got[:-1] == [TextDelta(0, "a"), TextDelta(1, "b"), TextDelta(0, "c")]
        item = {"type": "message", "phase": "final_answer", "content": [{"type": "output_text", "text": "a"}]}
        assert BlockData(0, "text", {"phase": "final_answer"}) in events(text("a"), event("output_item.done", item=item), ended())
        assert ToolCallDelta not in map(type, got)
