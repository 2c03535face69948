"""Guesses of how many tokens things take: cheap, the same each time, and of the right size."""

from __future__ import annotations

import pytest

from agent.loop import tokens
from llmconfig.llm import Media, Message, Text, Thinking, Tool, ToolCall, ToolResult


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("", 0, 0), ("a", 1, 1), ("hello world, how are you? " * 100, 600, 800), ("你好世界" * 100, 300, 500), ("\ud800", 1, 2)],
)
def test_text(text: str, least: int, most: int) -> None:
    assert least <= tokens.of_text(text) <= most


@pytest.mark.parametrize(
    ("part", "least", "most"),
    [
        (Media("image", "image/png", b"x" * 5_000_000), 1_000, 2_000),
        (Media("document", "application/pdf", b"x" * 1_000), 2_000, 3_000),
        (Media("document", "application/pdf", b"x" * 4_000_000), 100_000, 300_000),
        (Media("audio", "audio/mp3", b"x" * 960_000), 1_000, 2_500),  # a minute
        (Media("video", "video/mp4", b"x" * 7_500_000), 10_000, 20_000),  # a minute
        (Thinking("hm " * 100), 60, 120),
        (ToolCall("1", "crm__find", {"q": "x" * 350}), 100, 130),
        (ToolResult("1", (Text("x" * 350), Media("image", "image/png", b""))), 1_700, 1_750),
    ],
)
def test_parts(part: object, least: int, most: int) -> None:
    assert least <= tokens.of_message(Message("assistant", (part,))) <= most  # type: ignore[arg-type]


def test_tools_count_their_schema() -> None:
    bare = Tool("crm__find", "Finds", {"type": "object"})
    rich = Tool("crm__find", "Finds", {"type": "object", "description": "x" * 3_500})
    assert tokens.of_tools([rich]) - tokens.of_tools([bare]) > 1_000
    assert tokens.of_tools([bare, bare]) == 2 * tokens.of_tools([bare])
