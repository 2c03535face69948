"""What the decoders share, seen through the plainest of them."""

from __future__ import annotations

import pytest

from llmconfig.llm import Finished, FinishReason, StreamInterrupted, TextDelta
from llmconfig.wire.decoding import MOST_TOKENS, count, disjoint_input, index_of, objects, optional_object, storable, text_of
from llmconfig.wire.openai_chat import Decoder
from tests.llmconfig.wire.streams import DONE, chat_chunk, drain, request, unnamed


def decoder() -> Decoder:
    return Decoder(request(), provider="p")


@pytest.mark.parametrize("payload", [b"{", b"[1]", b'{"a":1} {"b":2}', b'"x"', b"nope", b'{"choices":[7]}', b"[" * 50_000])
def test_a_piece_that_cannot_be_read_is_an_interruption(payload: bytes) -> None:
    events, error = drain(decoder(), [chat_chunk({"content": "a"}), b"data: " + payload + b"\n\n"])
    assert events == [TextDelta(0, "a")]
    assert isinstance(error, StreamInterrupted)
    assert "cannot be read" in error.detail


def test_what_came_before_a_failure_in_the_same_chunk_is_kept_and_the_failure_stays() -> None:
    decoding = decoder()
    assert decoding.feed(chat_chunk({"content": "a"}) + b"data: {\n\n" + chat_chunk({"content": "b"})) == [TextDelta(0, "a")]
    for again in (lambda: decoding.feed(b""), decoding.flush, decoding.close):
        with pytest.raises(StreamInterrupted):
            again()


def test_bytes_after_the_end_are_ignored() -> None:
    decoding = decoder()
    events = decoding.feed(chat_chunk({}, "stop") + DONE + chat_chunk({"content": "late"}))
    assert events == [Finished(FinishReason.STOP, "stop")]
    assert decoding.feed(b"x" * 9_000_000) == decoding.flush() == []
    decoding.close()


def test_a_failure_is_told_of_the_provider_as_people_know_it() -> None:
    for raw in (b"data: {\n\n", unnamed({"error": "no"}), chat_chunk({}, "error") + DONE, b""):
        _, error = drain(Decoder(request(), provider="p", label="Alice's server"), [raw])
        assert error is not None
        assert "Alice's server" in error.detail


def test_a_stream_without_any_byte_is_an_interruption() -> None:
    with pytest.raises(StreamInterrupted, match="broke off"):
        decoder().close()


def test_bytes_that_are_no_utf8_do_not_stop_an_answer() -> None:
    assert decoder().feed(b'data: {"choices":[{"delta":{"content":"a\xffb"}}]}\n\n') == [TextDelta(0, "a\ufffdb")]


def test_text_that_no_database_takes_is_mended() -> None:
    raw = rb'data: {"choices":[{"delta":{"content":"a\u0000b\ud83d c\ud83d\ude00"}}]}' + b"\n\n"
    assert decoder().feed(raw) == [TextDelta(0, "ab\ufffd c😀")]
    bare = b'data: {"choices":[{"delta":{"content":"a\tb\0c"}}]}\n\n'
    assert decoder().feed(bare) == [TextDelta(0, "a\tbc")]
    assert storable({"a": ["\ud800", 1, None]}) == {"a": ["\ufffd", 1, None]}


def test_foreign_json_is_read_carefully() -> None:
    assert [text_of(value) for value in ("a", None, 7)] == ["a", "", ""]
    assert [optional_object(value) for value in ({"a": 1}, None, [])] == [{"a": 1}, {}, {}]
    assert [objects(value) for value in ([{"a": 1}, 7], None, {})] == [[{"a": 1}], [], []]
    assert [count(value) for value in (3, 0, None, -1, 1.5, "3", True)] == [3, 0, None, None, None, None, None]
    assert (count(MOST_TOKENS), count(MOST_TOKENS + 1)) == (MOST_TOKENS, None)
    assert index_of(2) == 2
    for wrong in (True, "2", None):
        with pytest.raises(TypeError):
            index_of(wrong)


def test_bug_09_the_cache_is_taken_out_of_the_input_once() -> None:
    assert disjoint_input(500, 300, 100) == 100
    assert disjoint_input(500, None, None) == 500
    assert disjoint_input(None, 300, None) is None
    assert disjoint_input(200, 300, None) == 200
