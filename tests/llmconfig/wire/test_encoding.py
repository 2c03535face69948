"""Pieces that the encoders share."""

from __future__ import annotations

from types import MappingProxyType

from llmconfig.llm import Media, Text, Thinking, ToolCall, ToolResult
from llmconfig.wire.encoding import arguments_json, data_url, media_type, numbers, refused, result_text, sealed, words


def test_media_types_are_read_leniently() -> None:
    assert media_type(Media("image", "IMAGE/JPG; q=1", b"")) == "image/jpeg"
    assert data_url(Media("image", "image/png", b"\x00\xff")) == "data:image/png;base64,AP8="


def test_a_refusal_names_the_part() -> None:
    assert refused(Media("video", "video/mp4", b"", "demo.mp4")).detail == "This model cannot take the video “demo.mp4” (video/mp4)."
    assert refused(Media("audio", "audio/ogg", b"")).detail == "This model cannot take the audio (audio/ogg)."


def test_arguments_are_compact_unescaped_json() -> None:
    assert (
        arguments_json(ToolCall("a", "t", MappingProxyType({"q": "grüße", "n": MappingProxyType({"x": [1]})})))
        == '{"q":"grüße","n":{"x":[1]}}'
    )
    assert arguments_json(ToolCall("a", "t", {}, malformed='{"q":')) == "{}"


def test_a_result_as_text_says_when_it_is_an_error() -> None:
    parts = (Text("one"), Media("image", "image/png", b""), Text("two"))
    assert result_text(ToolResult("a", parts)) == "one\n\ntwo"
    assert result_text(ToolResult("a", parts, is_error=True)) == "Error: one\n\ntwo"


def test_options_of_the_wrong_type_are_left_out() -> None:
    options = {"temperature": 0, "top_p": "0.5", "n": True, "x": None, "reasoning_effort": "low", "y": ""}
    assert numbers(options, "temperature", "top_p", "n", "x", "absent") == {"temperature": 0}
    assert words(options, "reasoning_effort", "temperature", "y") == {"reasoning_effort": "low"}


def test_a_part_without_provider_data_has_no_seal() -> None:
    assert sealed(Thinking("hm"), "signature") is None
