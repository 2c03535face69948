"""The Gemini wire: whole calls, signatures on any part, an end that is held back until the body has ended."""

from __future__ import annotations

import copy
import json
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
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
    UsageReported,
)
from llmconfig.wire.gemini import UNSIGNED, Decoder, encode
from tests.llmconfig.wire.streams import CUSTOMER_GET, GEMINI_TOOLS, TOOLS, decode, drain, fold, request, unnamed, user

NEW, OLD = "gemini-3-flash-preview", "gemini-2.5-flash"
PICTURE = Media("image", "image/png", b"\x00")
PDF = Media("document", "application/pdf", b"\x00")
SONG = Media("audio", "audio/mpeg", b"\x00")
SIGNATURE = "85MqWVRPg1ltZ2vULvQYsszrR+q/fUOFnkTdn3dBYYBMPKhNKm5zrgYkJ3AkXvx8EpwBCg=="
ANSWER = {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]}


def sealed(model: str = NEW, **data: Any) -> ProviderData:
    return ProviderData("gemini", model, data)


def body(*messages: Message, model: str = NEW, **more: Any) -> dict[str, Any]:
    return encode(request(*messages, model=model, **more), provider="gemini")


def contents(*messages: Message, model: str = NEW, **more: Any) -> list[dict[str, Any]]:
    return body(*messages, model=model, **more)["contents"]


def chunk(*parts: dict[str, Any], finish: str = "", **more: Any) -> bytes:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0} | ({"finishReason": finish} if finish else {})
    return unnamed({"candidates": [candidate], "modelVersion": NEW, "responseId": "r"} | more)


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"text": said, **more}


def call(name: str, args: Any = None, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name} | ({} if args is None else {"args": args}), **more}


def events(*chunks: bytes, model: str = NEW, **more: Any) -> list[Any]:
    return decode(Decoder(request(model=model, **more), provider="gemini"), *chunks)


def answered(*chunks: bytes, model: str = NEW, **more: Any) -> Message:
    return fold(events(*chunks, model=model, **more), provider="gemini", model=model).message()


STOP = chunk(text(""), finish="STOP")


class TestEncode:
    def test_a_whole_conversation(self) -> None:
        answer = Message(
            "assistant",
            (
                Thinking("hm", sealed(thought_signature="s0")),
                Text("Checking.", sealed(thought_signature="s1")),
                ToolCall("a", "tickets__find", {"query": "Ä"}, None, sealed(id="fc_a", thought_signature=SIGNATURE)),
                ToolCall("b", "crm__customer.get", {"id": 7}, None, sealed(id="fc_b")),
            ),
        )
        results = Message("tool", (ToolResult("b", (Text("gone"),), is_error=True), ToolResult("a", (Text("one"), PICTURE, Text("two")))))
        got = body(user("Who is Alice?"), answer, results, user("And Bob?"), system="Be brief.", max_output_tokens=50)
        assert got == {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "tools": [
                {
                    "functionDeclarations": [
                        {"name": name, "description": tool.description, "parametersJsonSchema": tool.input_schema}
                        for tool, name in zip(TOOLS, ("tickets__find", CUSTOMER_GET), strict=True)
                    ]
                }
            ],
            "contents": [
                {"role": "user", "parts": [{"text": "Who is Alice?"}]},
                {
                    "role": "model",
                    "parts": [
                        {"text": "hm", "thought": True, "thoughtSignature": "s0"},
                        {"text": "Checking.", "thoughtSignature": "s1"},
                        {"functionCall": {"id": "fc_a", "name": "tickets__find", "args": {"query": "Ä"}}, "thoughtSignature": SIGNATURE},
                        {"functionCall": {"id": "fc_b", "name": CUSTOMER_GET, "args": {"id": 7}}},
                    ],
                },
                {
                    "role": "user",
                    "parts": [
                        {
                            "functionResponse": {
                                "id": "fc_a",
                                "name": "tickets__find",
                                "response": {"output": "one\n\ntwo"},
                                "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}],
                            }
                        },
                        {"functionResponse": {"id": "fc_b", "name": CUSTOMER_GET, "response": {"error": "gone"}}},
                        {"text": "And Bob?"},
                    ],
                },
            ],
            "generationConfig": {"maxOutputTokens": 50, "thinkingConfig": {"includeThoughts": True}},
        }

    def test_only_what_is_set_is_sent(self) -> None:
        assert body(model="gemini-2.0-flash", tools=()).keys() == {"contents"}

    def test_options(self) -> None:
        options = {"temperature": 0.2, "top_p": 0.9, "stop": ["END", "", 5], "reasoning_effort": "low", "x": 1}
        got = body(model="gemini-2.0-flash", options=options)["generationConfig"]
        assert got == {"temperature": 0.2, "topP": 0.9, "stopSequences": ["END"]}
        assert body(options={"stop": "END"})["generationConfig"]["stopSequences"] == ["END"]

    def test_how_much_to_think(self) -> None:
        config = body(model=OLD, reasoning=Reasoning(budget_tokens=4096))["generationConfig"]
        assert config == {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 4096}}

    def test_a_function_without_parameters(self) -> None:
        (declaration,) = body(tools=(Tool("now", "Tells the time.", {"type": "object"}),))["tools"][0]["functionDeclarations"]
        assert declaration == {"name": "now", "description": "Tells the time."}

    def test_nothing_given_is_changed_and_the_same_comes_out_each_time(self) -> None:
        arguments = {"query": ["x"]}
        messages = (user("hi"), Message("assistant", (ToolCall("a", "tickets__find", arguments),)), Message("tool", (ToolResult("a", ()),)))
        before = copy.deepcopy([tool.input_schema for tool in TOOLS])
        first = body(*messages)
        again = json.dumps(first)
        first["contents"][1]["parts"][0]["functionCall"]["args"]["query"].append("y")
        assert arguments == {"query": ["x"]}
        assert [tool.input_schema for tool in TOOLS] == before
        assert json.dumps(body(*messages)) == again


class TestSignatures:
    def test_bug_01_what_another_model_signed_is_not_sent(self) -> None:
        for data in (sealed("gemini-2.5-pro", thought_signature="s"), ProviderData("anthropic", NEW, {"thought_signature": "s"})):
            said = Message("assistant", (Thinking("hm", data), Text("a", data), Text("", data)))
            assert contents(user("hi"), said, user("go on"))[1]["parts"] == [{"text": "a"}]

    def test_bug_01_the_first_call_of_another_model_bears_the_word_that_google_gives_for_it(self) -> None:
        calls = tuple(ToolCall(id_, "tickets__find", {}, None, ProviderData("openai", "gpt", {"id": "call_x"})) for id_ in ("a", "b"))
        parts = contents(user("hi"), Message("assistant", (Text("So."), *calls)))[1]["parts"]
        assert parts == [{"text": "So."}, {**call("tickets__find", {}), "thoughtSignature": UNSIGNED}, call("tickets__find", {})]

    def test_a_model_that_demands_no_signatures_is_given_none(self) -> None:
        parts = contents(user("hi"), Message("assistant", (ToolCall("a", "tickets__find", {}),)), model=OLD)[1]["parts"]
        assert parts == [call("tickets__find", {})]

    def test_bug_03_every_signature_goes_back_as_it_came(self) -> None:
        """litellm#16893, pydantic-ai#3647."""
        message = answered(GEMINI_TOOLS)
        parts = contents(user("hi"), message)[1]["parts"]
        signed = [(next(iter(part)), part["thoughtSignature"]) for part in parts if "thoughtSignature" in part]
        assert signed == [("functionCall", SIGNATURE), ("text", "euolUt/n64S5RDtvybpuAQ==")]
        assert parts[-1] == {"text": "", "thoughtSignature": "euolUt/n64S5RDtvybpuAQ=="}
        ids = [part["functionResponse"]["id"] for part in contents(user("hi"), message)[2]["parts"]]
        assert ids == ["fc_x1", "fc_x2"]

    @pytest.mark.parametrize(
        ("chunks", "parts"),
        [
            ([text("Hel"), text("lo"), text("", thoughtSignature="s")], [("Hello", "s")]),
            ([text("Hel", thoughtSignature="s"), text("lo")], [("Hello", "s")]),
            ([text("a", thoughtSignature="s"), text("b", thoughtSignature="t")], [("a", "s"), ("b", "t")]),
            ([text("a", thoughtSignature="s"), text("", thoughtSignature="t")], [("a", "s"), ("", "t")]),
            ([text("", thoughtSignature="s")], [("", "s")]),
            ([text("h", thought=True), text("", thoughtSignature="s"), text("a")], [("h", None), ("a", "s")]),
        ],
    )
    def test_bug_03_a_signature_in_a_later_or_empty_part(self, chunks: list[Any], parts: list[Any]) -> None:
        message = answered(*map(chunk, chunks), STOP)
        got = [(part.text, part.provider_data and part.provider_data.data["thought_signature"]) for part in message.parts]  # type: ignore[union-attr]
        assert got == parts

    def test_a_signed_thought_is_echoed_and_an_unsigned_one_dropped(self) -> None:
        message = answered(chunk(text("one", thought=True)), chunk(text("", thought=True, thoughtSignature="s")), chunk(text("So.")), STOP)
        assert contents(user("hi"), message)[1]["parts"][0] == {"text": "one", "thought": True, "thoughtSignature": "s"}
        bare = answered(chunk(text("one", thought=True)), chunk(text("So.")), STOP)
        assert contents(user("hi"), bare)[1]["parts"] == [{"text": "So."}]


class TestMedia:
    @pytest.mark.parametrize(
        ("part", "type_"),
        [
            (PICTURE, "image/png"),
            (Media("image", "image/jpg", b"\x00"), "image/jpeg"),
            (PDF, "application/pdf"),
            (Media("document", "text/csv; charset=utf-8", b"\x00"), "text/plain"),
            (Media("document", "application/json", b"\x00"), "text/plain"),
            (SONG, "audio/mpeg"),
            (Media("audio", "audio/x-wav", b"\x00"), "audio/wav"),
            (Media("video", "video/mp4", b"\x00"), "video/mp4"),
        ],
    )
    def test_inline_and_uploaded(self, part: Media, type_: str) -> None:
        uri = "https://generativelanguage.googleapis.com/v1beta/files/abc"
        uploaded = Media(part.kind, part.media_type, part.data, uploaded=uri)
        assert contents(Message("user", (part, uploaded)))[0]["parts"] == [
            {"inlineData": {"mimeType": type_, "data": "AA=="}},
            {"fileData": {"mimeType": type_, "fileUri": uri}},
        ]

    @pytest.mark.parametrize("part", [Media("image", "image/gif", b""), Media("document", "application/msword", b"")])
    def test_what_gemini_cannot_take(self, part: Media) -> None:
        with pytest.raises(InvalidRequest, match=f"cannot take the {part.kind}"):
            body(Message("user", (part,)))

    def test_what_the_model_cannot_take(self) -> None:
        with pytest.raises(InvalidRequest, match="cannot take the audio"):
            body(Message("user", (SONG,)), inputs=frozenset({"image"}))

    def test_media_that_a_result_cannot_hold_come_behind_all_results(self) -> None:
        uploaded = Media("image", "image/png", b"", uploaded="uri")
        asked = Message("assistant", (ToolCall("a", "tickets__find", {}), ToolCall("b", "tickets__find", {})))
        results = Message("tool", (ToolResult("a", (PDF, SONG, uploaded)), ToolResult("b", (Text("two"),))))
        parts = contents(user("hi"), asked, results)[2]["parts"]
        assert parts == [
            {
                "functionResponse": {
                    "name": "tickets__find",
                    "response": {"output": ""},
                    "parts": [{"inlineData": {"mimeType": "application/pdf", "data": "AA=="}}],
                }
            },
            {"functionResponse": {"name": "tickets__find", "response": {"output": "two"}}},
            {"text": "tickets__find returned:"},
            {"inlineData": {"mimeType": "audio/mpeg", "data": "AA=="}},
            {"fileData": {"mimeType": "image/png", "fileUri": "uri"}},
        ]
        old = contents(user("hi"), asked, results, model=OLD)[2]["parts"]
        assert [next(iter(part)) for part in old] == [
            "functionResponse",
            "functionResponse",
            "text",
            "inlineData",
            "inlineData",
            "fileData",
        ]


def test_a_signature_alone_belongs_to_the_text_before_it() -> None:
    message = answered(chunk(text("Hello.")), chunk({"thoughtSignature": "s1"}), chunk(call("tickets__find")), STOP)
    assert [getattr(part.provider_data, "data", None) for part in message.parts] == [{"thought_signature": "s1"}, None]  # type: ignore[union-attr]
    thought = answered(chunk(text("hm", thought=True), {"thought": True, "thoughtSignature": "s0"}), chunk(text("So.")), STOP)
    assert thought.parts == (Thinking("hm", sealed(thought_signature="s0")), Text("So."))


def test_an_answer_goes_on_behind_the_end_of_a_round() -> None:
    """Recorded of gemini-2.5-pro with code execution: `STOP` comes with the code, too. What is cut off behind it is not whole."""
    code, result = {"executableCode": {"code": "print(4)"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "4"}}
    rounds = (chunk(text("So:"), code, finish="STOP"), chunk(result), chunk(text(" four")), chunk(text("."), finish="STOP"))
    assert answered(*rounds).text == "So: four."
    for cut, whole in ((1, True), (2, False), (3, False), (4, True)):
        decoder = Decoder(request(), provider="gemini")
        _, error = drain(decoder, rounds[:cut])
        assert (error is None, decoder.is_whole) == (whole, whole)


def test_an_answer_by_a_schema() -> None:
    got = body(output_schema={"$schema": "x", "title": "Answer", **ANSWER})
    config = got["generationConfig"]
    assert (config["responseMimeType"], config["responseJsonSchema"]) == ("application/json", ANSWER)
    assert got["tools"]


class TestDecode:
    def test_the_published_stream(self) -> None:
        got = events(GEMINI_TOOLS)
        folded = fold(got, provider="gemini", model=NEW)
        assert folded.message() == Message(
            "assistant",
            (
                Thinking("**Finding Alice**\n\nThe tickets and the customer can be read at once."),
                Text("I look both up: “Ä”."),
                ToolCall("call-1", "tickets__find", {"query": "Alice Ä"}, None, sealed(id="fc_x1", thought_signature=SIGNATURE)),
                ToolCall("call-2", "crm__customer.get", {"id": 7}, None, sealed(id="fc_x2")),
                Text("", sealed(thought_signature="euolUt/n64S5RDtvybpuAQ==")),
            ),
        )
        assert folded.usage == Usage(input_tokens=200, output_tokens=60, cache_read_tokens=300, reasoning_tokens=32)
        assert got[-1] == Finished(FinishReason.TOOL_CALLS, "STOP")

    def test_bug_08_calls_in_one_chunk_are_kept_apart_also_of_one_name(self) -> None:
        message = answered(chunk(call("tickets__find", {"query": "a"}), call("tickets__find", {"query": "b"}), call("tickets__find")), STOP)
        assert [(made.name, dict(made.arguments)) for made in message.tool_calls] == [
            ("tickets__find", {"query": "a"}),
            ("tickets__find", {"query": "b"}),
            ("tickets__find", {}),
        ]

    def test_text_behind_a_call_is_a_block_of_its_own(self) -> None:
        got = events(chunk(text("a"), call("x", {}), text("b")), STOP)
        assert got[:3] == [TextDelta(0, "a"), ToolCallDelta(1, "x", "{}"), TextDelta(2, "b")]

    def test_arguments_that_are_no_object_are_malformed(self) -> None:
        (made,) = answered(chunk(call("x", ["a"])), STOP).tool_calls
        assert made.malformed == '["a"]'

    def test_thoughts(self) -> None:
        got = events(chunk(text("hm", thought=True, thoughtSignature="s")), chunk(text("So.")), STOP)
        assert got[:3] == [ThinkingDelta(0, "hm"), BlockData(0, "thinking", {"thought_signature": "s"}), TextDelta(1, "So.")]

    def test_only_the_first_candidate_is_read(self) -> None:
        second = {"content": {"parts": [text("no")]}, "index": 1, "finishReason": "SAFETY"}
        first = {"content": {"parts": [text("yes")]}, "finishReason": "STOP"}
        assert events(unnamed({"candidates": [second, first]}), unnamed({"candidates": [second]})) == [
            TextDelta(0, "yes"),
            Finished(FinishReason.STOP, "STOP"),
        ]

    @pytest.mark.parametrize(
        ("raw", "reason"),
        [
            ("STOP", FinishReason.STOP),
            ("MAX_TOKENS", FinishReason.LENGTH),
            *((word, FinishReason.CONTENT_FILTER) for word in ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII")),
            *((word, FinishReason.CONTENT_FILTER) for word in ("IMAGE_SAFETY", "MODEL_ARMOR")),
            *((word, FinishReason.OTHER) for word in ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "LANGUAGE", "NEW_WORD")),
        ],
    )
    def test_endings(self, raw: str, reason: FinishReason) -> None:
        assert events(chunk(text("a")), unnamed({"candidates": [{"finishReason": raw, "index": 0}]}))[-1] == Finished(reason, raw)

    def test_media_in_an_answer_are_told_of(self) -> None:
        image = {"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thoughtSignature": "s"}
        message = answered(
            chunk(text("Here: "), image, {"fileData": {"fileUri": "x"}}, {"executableCode": {"code": "1"}, "thoughtSignature": "t"}), STOP
        )
        assert [part.text for part in message.parts] == [  # type: ignore[union-attr]
            "Here: ",
            "[image/png left out: routekit shows text only]",
            "[A file left out: routekit shows text only]",
        ]

    def test_bug_11_an_end_without_a_finish_reason_is_no_success(self) -> None:
        with pytest.raises(StreamInterrupted):
            events(chunk(text("a")))
        with pytest.raises(StreamInterrupted):
            events(unnamed({"usageMetadata": {"promptTokenCount": 5}}), unnamed({"promptFeedback": {"safetyRatings": []}}))

    def test_a_prompt_that_is_blocked(self) -> None:
        blocked = unnamed({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}})
        seen, error = drain(Decoder(request(), provider="gemini", label="Google Gemini"), [blocked])
        assert seen == [UsageReported(Usage(input_tokens=5))]
        assert type(error) is ContentFiltered
        assert error.detail == "Google Gemini did not let the message pass (SAFETY)."
        told = unnamed({"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "no\nweapons"}})
        with pytest.raises(ContentFiltered, match=r"\(OTHER\): no weapons\."):
            events(told)

    def test_errors_in_the_stream(self) -> None:
        with pytest.raises(Overloaded, match="The model is overloaded"):
            events(unnamed({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}))
        delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}
        with pytest.raises(RateLimited) as caught:
            events(unnamed({"error": {"code": 429, "message": "Slow", "status": "RESOURCE_EXHAUSTED", "details": [delay]}}))
        assert caught.value.retry_after == 34

    def test_a_whole_document(self) -> None:
        def of(value: dict[str, Any]) -> list[Any]:
            return Decoder(request(), provider="gemini").document(value)

        ended = {"candidates": [{"content": {"parts": [text("a")]}, "finishReason": "STOP"}]}
        assert of(ended) == [TextDelta(0, "a"), Finished(FinishReason.STOP, "STOP")]
        assert of({"candidates": [{"content": {"parts": [text("a")]}}]})[-1] == Finished(FinishReason.OTHER, "")
        assert of({"object": "list"}) == []


class TestUsage:
    @pytest.mark.parametrize(
        ("counts", "usage"),
        [
            ({"promptTokenCount": 10, "candidatesTokenCount": 4}, Usage(input_tokens=10, output_tokens=4)),
            ({"promptTokenCount": 10, "cachedContentTokenCount": 7}, Usage(input_tokens=3, cache_read_tokens=7)),
            ({"promptTokenCount": 10, "toolUsePromptTokenCount": 5}, Usage(input_tokens=15)),
            ({"candidatesTokenCount": 4, "thoughtsTokenCount": 6}, Usage(output_tokens=10, reasoning_tokens=6)),
            ({"thoughtsTokenCount": 6}, Usage(output_tokens=6, reasoning_tokens=6)),
            ({"promptTokenCount": 0}, Usage(input_tokens=0)),
        ],
    )
    def test_buckets(self, counts: dict[str, int], usage: Usage) -> None:
        assert events(chunk(text("a"), usageMetadata=counts), STOP)[1] == UsageReported(usage)

    def test_what_was_heard_is_told_apart(self) -> None:
        """The prompt's details include what came from the cache, as its count does."""
        heard = [{"modality": "TEXT", "tokenCount": 4}, {"modality": "AUDIO", "tokenCount": 16}]
        cached = {"cachedContentTokenCount": 9, "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 6}, {"modality": "AUDIO"}]}
        got = events(
            chunk(text("a"), usageMetadata={"promptTokenCount": 20, "promptTokensDetails": heard, **cached}),
            chunk(text("b"), usageMetadata={"promptTokenCount": 20, "candidatesTokenCount": 4}),
            STOP,
        )
        assert fold(got).usage == Usage(11, 4, 9, audio_tokens=10, cache_read_audio_tokens=6)

    def test_bug_09_what_a_later_chunk_leaves_out_is_still_known(self) -> None:
        got = events(
            chunk(text("a"), usageMetadata={"promptTokenCount": 10, "cachedContentTokenCount": 7, "thoughtsTokenCount": 6}),
            chunk(text("b"), usageMetadata={"promptTokenCount": 10, "candidatesTokenCount": 4}),
            STOP,
            unnamed({"usageMetadata": {"candidatesTokenCount": 5}}),
        )
        assert fold(got).usage == Usage(input_tokens=3, output_tokens=11, cache_read_tokens=7, reasoning_tokens=6)
        assert got[-1] == Finished(FinishReason.STOP, "STOP")

    def test_the_same_counts_are_told_once(self) -> None:
        same = {"promptTokenCount": 10, "candidatesTokenCount": True}
        got = events(chunk(text("a"), usageMetadata=same), chunk(text("b"), usageMetadata=same), STOP)
        assert [event for event in got if isinstance(event, UsageReported)] == [UsageReported(Usage(input_tokens=10))]

    def test_the_answer_is_whole_before_its_usage(self) -> None:
        decoder = Decoder(request(), provider="gemini")
        decoder.feed(chunk(text("a"), finish="STOP"))
        assert decoder.is_whole
        assert decoder.flush() == [Finished(FinishReason.STOP, "STOP")]
        decoder.close()
        assert decoder.is_whole
