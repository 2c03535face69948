"""Pieces of reasoning details, put together."""

from __future__ import annotations

from llmconfig.wire.chat_thoughts import Details


def joined(*pieces: dict) -> list[dict]:
    details = Details()
    for piece in pieces:
        details.add([piece])
    return details.joined()


def test_pieces_of_one_text_are_one_detail() -> None:
    text = {"type": "reasoning.text", "index": 0}
    assert joined({**text, "text": "a"}, {**text, "text": "b", "signature": None}, {**text, "text": None, "signature": "s"}) == [
        {**text, "text": "ab", "signature": "s"}
    ]


def test_another_type_or_index_is_another_detail() -> None:
    rows = [
        {"type": "reasoning.summary", "summary": "a", "index": 0},
        {"type": "reasoning.text", "text": "b", "index": 0},
        {"type": "reasoning.text", "text": "c", "index": 1},
    ]
    assert joined(*rows) == rows


def test_what_is_encrypted_or_unknown_is_never_merged() -> None:
    rows = [
        {"type": "reasoning.encrypted", "data": "x", "id": "1"},
        {"type": "reasoning.encrypted", "data": "y", "id": "2"},
        {"odd": 1},
        {"odd": 1},
    ]
    assert joined(*rows) == rows


def test_nothing_came() -> None:
    assert not Details()
    assert joined({"type": "reasoning.text", "text": 5}) == [{"type": "reasoning.text", "text": 5}]
