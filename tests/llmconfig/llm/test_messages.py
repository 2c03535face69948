"""Messages are pure values."""

from __future__ import annotations

import dataclasses

import pytest

from llmconfig.llm import Media, Message, ModelRequest, ProviderData, Text, Thinking, ToolCall


def test_text_and_calls_of_a_message() -> None:
    call = ToolCall("a", "t", {})
    message = Message("assistant", (Thinking("hm"), Text("one "), call, Text("two")))
    assert message.text == "one two"
    assert message.tool_calls == (call,)


def test_provider_data_belongs_to_one_provider_and_model() -> None:
    data = ProviderData("p", "m", {})
    assert data.belongs_to("p", "m")
    assert not data.belongs_to("p", "m2")
    assert not data.belongs_to("q", "m")


def test_values_do_not_change_and_bytes_are_not_shown() -> None:
    message = Message("user", (Media("image", "image/png", b"secret pixels", "a.png"),))
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.role = "assistant"
    assert "pixels" not in repr(message)
    assert ModelRequest("m", (message,)).options == {}
