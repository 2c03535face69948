"""Ollama's wire, as its API documents it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmconfig.llm import (
    BlockData,
    ContextTooLong,
    Finished,
    FinishReason,
    InvalidRequest,
    Media,
    Message,
    Overloaded,
    ProviderData,
    QuotaExhausted,
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
from llmconfig.wire.ollama import Decoder, encode
from tests.llmconfig.wire.streams import CUSTOMER_GET, OLLAMA_TOOLS, TOOLS, decode, drain, fold, request, user

PICTURE, SECOND = Media("image", "image/png", b"\x00"), Media("image", "image/jpeg", b"\x01")
PDF = Media("document", "application/pdf", b"%PDF", name="a.pdf")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
STOPPED = Finished(FinishReason.STOP, "stop")


def sealed(**data: Any) -> ProviderData:
    return ProviderData("p", "model-1", data)


def body(*messages: Message, **more: Any) -> dict[str, Any]:
    return encode(request(*messages, **more), provider="p")


def messages(*sent: Message, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(*sent, **more)["messages"]
    return found


def line(message: dict[str, Any] | None = None, **more: Any) -> bytes:
    said = {} if message is None else {"message": {"role": "assistant", "content": "", **message}}
    return json.dumps({"model": "m", "created_at": "2026-10-07T09:12:44Z", **said, "done": False, **more}).encode() + b"\n"


def done(reason: str | None = "stop", **more: Any) -> bytes:
    return line({}, done=True, **({} if reason is None else {"done_reason": reason}), **more)


def events(*chunks: bytes) -> list[Any]:
    return decode(Decoder(request(), provider="p"), *chunks)


class TestEncode:
    def test_a_whole_conversation(self) -> None:
        calls = (ToolCall("a", "tickets__find", {"query": "Ä"}, None, sealed(id="call_a")), ToolCall("b", "crm__customer.get", {"id": 7}))
        got = body(
            user("Who is"),
            user("Alice?"),
            Message("assistant", (Thinking("hm", sealed(echo=True)), Text("Let me see."), *calls)),
            Message("tool", (ToolResult("b", (Text("gone"),), is_error=True), ToolResult("a", (Text("one"),)))),
            Message("assistant", (Text("Done."),)),
            system="Be brief.",
            max_output_tokens=50,
            options={"num_ctx": 8192, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "keep_alive": "10m"},
        )
        assert got == {
            "model": "model-1",
            "stream": True,
            "truncate": False,
            "shift": False,
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "tickets__find", "description": "Finds tickets.", "parameters": TOOLS[0].input_schema},
                },
                {
                    "type": "function",
                    "function": {"name": CUSTOMER_GET, "description": "Reads one customer.", "parameters": TOOLS[1].input_schema},
                },
            ],
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Who is\n\nAlice?"},
                {
                    "role": "assistant",
                    "content": "Let me see.",
                    "thinking": "hm",
                    "tool_calls": [
                        {"id": "call_a", "function": {"index": 0, "name": "tickets__find", "arguments": {"query": "Ä"}}},
                        {"id": "b", "function": {"index": 1, "name": CUSTOMER_GET, "arguments": {"id": 7}}},
                    ],
                },
                {"role": "tool", "tool_name": "tickets__find", "tool_call_id": "call_a", "content": "one"},
                {"role": "tool", "tool_name": CUSTOMER_GET, "tool_call_id": "b", "content": "Error: gone"},
                {"role": "assistant", "content": "Done."},
            ],
            "options": {"num_predict": 50, "num_ctx": 8192, "temperature": 0.5, "top_p": 0.9},
            "keep_alive": "10m",
        }

    def test_what_is_not_set_is_not_sent(self) -> None:
        got = body(tools=(), options={"num_ctx": None, "keep_alive": ""})
        assert got.keys() == {"model", "stream", "truncate", "shift", "messages"}

    @pytest.mark.parametrize(("text", "sent"), [("10m", "10m"), ("-1", -1), ("0", 0), ("2.5", 2.5), ("infinity", "infinity")])
    def test_how_long_a_model_stays_loaded(self, text: str, sent: object) -> None:
        assert body(options={"keep_alive": text})["keep_alive"] == sent

    def test_thoughts_of_others_and_of_interrupted_streams_are_dropped(self) -> None:
        other = ProviderData("p", "model-2", {"echo": True})
        thoughts = (Thinking("a", other), Thinking("b"), Thinking("c", sealed(signature="x")), Thinking("d", sealed(echo=True)))
        assert messages(user("Hi"), Message("assistant", (*thoughts, Text("Ho"))))[1] == {
            "role": "assistant",
            "content": "Ho",
            "thinking": "d",
        }

    @pytest.mark.parametrize(
        ("model", "reasoning", "think"),
        [
            ("qwen3:8b", None, None),
            ("qwen3:8b", Reasoning(), None),
            ("qwen3:8b", Reasoning("none"), False),
            ("qwen3:8b", Reasoning("minimal"), True),
            ("qwen3:8b", Reasoning("max", 0), True),
            ("qwen3:8b", Reasoning(budget_tokens=0), False),
            ("qwen3:8b", Reasoning(budget_tokens=500), True),
            ("gpt-oss:20b", None, None),
            ("gpt-oss:20b", Reasoning("none"), "low"),
            ("hf.co/x/GPT-OSS-20b", Reasoning("max"), "high"),
            ("gpt-oss:120b-cloud", Reasoning(budget_tokens=5000), "medium"),
        ],
    )
    def test_thinking(self, model: str, reasoning: Reasoning | None, think: object) -> None:
        assert body(model=model, reasoning=reasoning).get("think") is think or body(model=model, reasoning=reasoning)["think"] == think

    def test_a_schema_for_the_answer(self) -> None:
        got = body(tools=(), output_schema=SCHEMA)
        assert got["format"] == SCHEMA
        assert got["format"] is not SCHEMA
        assert got["messages"] == [{"role": "user", "content": "Who is Alice?"}]

    def test_a_schema_beside_tools_is_asked_for_in_words(self) -> None:
        got = body(system="Be brief.", output_schema=SCHEMA)
        assert "format" not in got
        said = got["messages"][0]["content"]
        assert said.startswith("Be brief.\n\nWhen you give your final answer")
        assert said.endswith(json.dumps(SCHEMA))

    def test_a_tool_whose_schema_the_server_could_not_read(self) -> None:
        schema = {
            "properties": {
                "any": True,
                "either": {"anyOf": [False, {"type": "string"}]},
                "deep": {"type": "object", "properties": {"x": True}},
                "list": {"type": "array", "items": True},
                "odd": 5,
            },
            "$defs": {"thing": True},
        }
        got = body(tools=(Tool("t", "", schema),))["tools"][0]["function"]["parameters"]
        assert got == {
            "type": "object",
            "properties": {
                "any": {},
                "either": {"anyOf": [{}, {"type": "string"}]},
                "deep": {"type": "object", "properties": {"x": {}}},
                "list": {"type": "array", "items": True},
                "odd": 5,
            },
            "$defs": {"thing": {}},
        }
        assert schema["properties"]["any"] is True

    def test_images(self) -> None:
        assert messages(Message("user", (Text("See"), PICTURE, Text("this"), SECOND))) == [
            {"role": "user", "content": "See\n\nthis", "images": ["AA==", "AQ=="]}
        ]

    @pytest.mark.parametrize(("part", "inputs"), [(PDF, None), (PICTURE, frozenset[Any]()), (PDF, frozenset({"document"}))])
    def test_other_media_are_refused_when_new_and_left_out_when_old(self, part: Media, inputs: Any) -> None:
        with pytest.raises(InvalidRequest, match=f"cannot take the {part.kind}"):
            body(Message("user", (Text("See"), part)), inputs=inputs)
        old = messages(Message("user", (Text("See"), part)), Message("assistant", (Text("I do"),)), user("And?"), inputs=inputs)
        assert old[0] == {"role": "user", "content": f"See\n\n[{part.kind} left out: this model cannot take {part.media_type}]"}

    def test_images_that_tools_returned(self) -> None:
        called = Message("assistant", (ToolCall("a", "tickets__find", {}),))
        returned = Message("tool", (ToolResult("a", (Text("one"), PICTURE)),))
        assert messages(user("Hi"), called, returned)[2:] == [
            {"role": "tool", "tool_name": "tickets__find", "tool_call_id": "a", "content": "one"},
            {"role": "user", "content": "The tools returned these images.", "images": ["AA=="]},
        ]
        assert messages(user("Hi"), called, returned, Message("assistant", (Text("So"),)))[3:] == [
            {"role": "user", "content": "The tools returned these images.", "images": ["AA=="]},
            {"role": "assistant", "content": "So"},
        ]
        assert messages(user("Hi"), called, returned, Message("user", (Text("And this?"), SECOND)))[3:] == [
            {"role": "user", "content": "The tools returned the first of these images.\n\nAnd this?", "images": ["AA==", "AQ=="]}
        ]


class TestDecode:
    def test_a_published_answer(self) -> None:
        assert events(OLLAMA_TOOLS) == [
            ThinkingDelta(0, "Zwei Ab"),
            BlockData(0, "thinking", {"echo": True}),
            ThinkingDelta(0, "fragen."),
            TextDelta(1, "Ich prü"),
            TextDelta(1, "fe beides. 🔎"),
            ToolCallDelta(2, "tickets__find", '{"query": "Ä"}', "call_p3k1mz0q"),
            ToolCallDelta(3, "crm__customer.get", '{"id": 7}', "call_x8w2vd7c"),
            UsageReported(Usage(200, 60, 300)),
            Finished(FinishReason.TOOL_CALLS, "stop"),
        ]

    def test_what_it_decodes_it_encodes(self) -> None:
        answer = fold(events(OLLAMA_TOOLS)).message()
        again = messages(user("Hi"), answer)[1]
        assert (again["thinking"], again["content"]) == ("Zwei Abfragen.", "Ich prüfe beides. 🔎")
        assert [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in again["tool_calls"]] == [
            ("call_p3k1mz0q", "tickets__find", {"query": "Ä"}),
            ("call_x8w2vd7c", CUSTOMER_GET, {"id": 7}),
        ]

    def test_bug_07_calls_with_one_index_are_never_merged(self) -> None:
        first, second, third = ({"function": {"index": 0, "name": name, "arguments": {"n": name}}} for name in "abb")
        answer = fold(events(line({"tool_calls": [first]}), line({"tool_calls": [second, third], "content": "so"}), done()))
        assert [(call.name, call.arguments, call.provider_data) for call in answer.message().tool_calls] == [
            ("a", {"n": "a"}, None),
            ("b", {"n": "b"}, None),
            ("b", {"n": "b"}, None),
        ]
        assert answer.message().text == "so"

    @pytest.mark.parametrize(
        ("arguments", "decoded", "malformed"),
        [({}, {}, None), (None, {}, None), ('{"a": 1}', {"a": 1}, None), ("{", {}, "{"), ([1], {}, None)],
    )
    def test_arguments(self, arguments: object, decoded: object, malformed: object) -> None:
        (call,) = fold(events(line({"tool_calls": [{"function": {"name": "a", "arguments": arguments}}]}), done())).message().tool_calls
        assert (call.arguments, call.malformed) == (decoded, malformed)

    @pytest.mark.parametrize(
        ("word", "reason"),
        [
            ("stop", FinishReason.STOP),
            ("length", FinishReason.LENGTH),
            ("load", FinishReason.OTHER),
            ("unload", FinishReason.OTHER),
            ("novel", FinishReason.OTHER),
            (None, FinishReason.STOP),
        ],
    )
    def test_the_end(self, word: str | None, reason: FinishReason) -> None:
        assert events(line({"content": "Hi"}), done(word)) == [TextDelta(0, "Hi"), Finished(reason, word or "")]

    def test_an_end_with_calls_and_without_a_word(self) -> None:
        assert events(line({"tool_calls": [{"function": {"name": "a"}}]}), done(None))[-1] == Finished(FinishReason.TOOL_CALLS, "")

    def test_the_last_line_may_hold_the_whole_answer(self) -> None:
        whole = line({"content": "Hi", "thinking": "hm", "tool_calls": None}, done=True, done_reason="stop", eval_count=2)
        assert events(whole.strip()) == [
            ThinkingDelta(0, "hm"),
            BlockData(0, "thinking", {"echo": True}),
            TextDelta(1, "Hi"),
            UsageReported(Usage(output_tokens=2)),
            STOPPED,
        ]

    @pytest.mark.parametrize(
        ("counts", "usage"),
        [
            ({"prompt_eval_count": 30, "eval_count": 12}, Usage(30, 12)),
            ({"eval_count": 12}, Usage(None, 12)),
            ({"prompt_eval_count": 30, "prompt_eval_cached_count": 0, "eval_count": 12}, Usage(30, 12, 0)),
            ({"prompt_eval_count": "30", "eval_count": -1, "prompt_eval_cached_count": 4}, Usage(None, None, 4)),
        ],
    )
    def test_counts(self, counts: dict[str, Any], usage: Usage) -> None:
        assert events(line({"content": "Hi"}), done(**counts))[1] == UsageReported(usage)

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            ("an error was encountered while running the model: unexpected EOF", Overloaded),
            ("model requires more system memory (5.6 GiB) than is available (4.2 GiB)", Overloaded),
            ("the prompt is longer than the context length currently available to the model", ContextTooLong),
            ("you (alice) have reached your hourly usage limit, please upgrade to continue", QuotaExhausted),
            ({"message": "nested", "code": 503}, Overloaded),
        ],
    )
    def test_an_error_within_the_stream(self, error: object, expected: type[Exception]) -> None:
        failing = json.dumps({"error": error}).encode() + b"\n"
        got, failure = drain(Decoder(request(), provider="p", label="Ollama"), [line({"content": "Hi"}) + failing])
        assert got == [TextDelta(0, "Hi")]
        assert type(failure) is expected
        assert str(failure).startswith("Ollama ")

    def test_without_its_end_an_answer_is_interrupted(self) -> None:
        _, failure = drain(Decoder(request(), provider="p"), [line({"content": "Hi"})])
        assert type(failure) is StreamInterrupted

    @pytest.mark.parametrize("broken", [b"[]\n", b"nonsense\n", b'{"message": 5}\n', b'{"message": [1]}\n'])
    def test_a_line_that_cannot_be_read(self, broken: bytes) -> None:
        _, failure = drain(Decoder(request(), provider="p"), [broken])
        assert type(failure) is StreamInterrupted

    def test_a_line_that_says_nothing_is_nothing(self) -> None:
        assert events(b'{"status": "loading"}\n', b'{"message": null}\n', line({"content": 5, "thinking": []}), done()) == [STOPPED]

    def test_a_whole_document(self) -> None:
        decoder = Decoder(request(), provider="p")
        assert decoder.document({"message": {"content": "Hi"}, "done": True, "done_reason": "stop"}) == [TextDelta(0, "Hi"), STOPPED]
        assert Decoder(request(), provider="p").document({"message": {"content": "Hi"}}) == []
