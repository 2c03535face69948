"""Parts as JSON: what is stored comes back as it was, and what is shown holds nothing private."""

from __future__ import annotations

import json

import pytest

from agent.loop.codec import join_name, message_from_json, part_from_json, part_to_json, public, split_name
from llmconfig.llm import Media, Message, Part, ProviderData, Text, Thinking, ToolCall, ToolResult

SEALED = ProviderData("anthropic", "claude", {"signature": "abc", "id": "toolu_1"})
PARTS: list[Part] = [
    Text("hi"),
    Text("hi", SEALED),
    Thinking("hm"),
    Thinking("", SEALED),
    Media("image", "image/png", b"\x89PNG\x00"),
    Media("document", "application/pdf", b"%PDF", "terms.pdf"),
    ToolCall("c1", "crm__find", {"q": "x", "deep": [1, {"a": None}]}),
    ToolCall("c2", "crm__find__all", {}, "{not json", SEALED),
    ToolCall("c3", "invented", {}),
    ToolResult("c1", (Text("ok"), Media("audio", "audio/wav", b"RIFF")), False),
    ToolResult("c2", (), True),
]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_survives_its_row(part: Part) -> None:
    assert part_from_json(json.loads(json.dumps(part_to_json(part)))) == part


def test_a_message_survives_its_row() -> None:
    message = Message("assistant", (Thinking("hm", SEALED), Text("hi"), ToolCall("c1", "crm__find", {"q": 1})))
    assert message_from_json("assistant", [part_to_json(part) for part in message.parts]) == message


def test_a_result_holds_only_what_results_may_hold() -> None:
    row = {
        "type": "tool_result",
        "tool_call_id": "c",
        "parts": [{"type": "thinking", "text": "x"}, {"type": "text", "text": "y"}],
        "is_error": 0,
    }
    assert part_from_json(row) == ToolResult("c", (Text("y"),), False)


def test_what_is_shown_holds_neither_the_providers_data_nor_malformed_text() -> None:
    shown = public(part_to_json(part) for part in PARTS)
    assert not {"provider_data", "malformed"} & {key for row in shown for key in row}
    assert shown[7] == {"type": "tool_call", "id": "c2", "name": "find__all", "arguments": {}, "service": "crm"}


@pytest.mark.parametrize(
    ("qualified", "parts"),
    [
        ("crm__find", ("crm", "find")),
        ("crm__a__b", ("crm", "a__b")),
        ("find", (None, "find")),
        ("__x", (None, "__x")),
        ("x__", (None, "x__")),
    ],
)
def test_a_qualified_name_divides_at_the_first_separator(qualified: str, parts: tuple[str | None, str]) -> None:
    assert split_name(qualified) == parts
    assert join_name(*parts) == qualified


ATTACHED = {"type": "image", "attachment": "a1", "media_type": "image/png", "name": "x.png", "size": 3}


def test_a_medium_is_what_its_reader_says() -> None:
    seen = Media("image", "image/png", b"abc", "x.png")
    result = {"type": "tool_result", "tool_call_id": "c", "parts": [ATTACHED], "is_error": False}
    read = {"a1": seen}
    assert message_from_json("user", [ATTACHED], lambda row: read[row["attachment"]]) == Message("user", (seen,))
    assert part_from_json(result, lambda row: read[row["attachment"]]) == ToolResult("c", (seen,))
    assert public([ATTACHED]) == [ATTACHED]


@pytest.mark.parametrize(("named", "words"), [(ATTACHED, "image “x.png” (image/png)"), (ATTACHED | {"name": ""}, "image (image/png)")])
def test_a_medium_that_nobody_reads_is_a_note(named: dict[str, object], words: str) -> None:
    assert part_from_json(named) == Text(f"[{words} is no longer there]")
