"""What each vendor streams, cut anywhere, interleaved anyhow and however long: whole or interrupted, never mixed, never kept."""

from __future__ import annotations

import json
import tracemalloc
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmconfig.llm import Accumulator, Finished, ModelRequest, ProviderError, StreamInterrupted, TextDelta, ThinkingDelta
from tests.fakes.script import Answer, Call, Tokens
from tests.llmconfig.vendors import EACH_VENDOR
from tests.llmconfig.wire.streams import CHAT_USAGE, DONE, chat_chunk, drain, fold, named, unnamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from llmconfig.wire.decoding import StreamDecoder
    from tests.llmconfig.vendors import Vendor

ANSWERS = (
    Answer(
        "Ich prüfe beides. 🔎", thinking="Zwei Abfragen.", calls=[Call("find", {"query": "Größe\n"}), Call("find"), Call("get", {"id": 7})]
    ),
    Answer("Hello Alice", tokens=Tokens(30, 12, cache_read=7, reasoning=5)),
    Answer("", calls=[Call("find", {"query": "a"}), Call("find", {"query": "a"})]),
)
MB = 1024 * 1024


def decoder_of(vendor: Vendor) -> StreamDecoder:
    decoder: Any = vendor.provider.codec.Decoder(ModelRequest(vendor.model, ()), provider=vendor.provider.slug, label="The provider")
    return decoder  # type: ignore[no-any-return]


@EACH_VENDOR
@pytest.mark.parametrize("answer", ANSWERS, ids=("everything", "text", "calls"))
def test_cut_off_at_any_byte_it_is_whole_or_interrupted(vendor: Vendor, answer: Answer) -> None:
    stream = b"".join(vendor.stream(answer))
    whole = fold(drain(decoder_of(vendor), [stream])[0]).message()
    assert len(whole.tool_calls) == len(answer.calls)
    for cut in range(len(stream)):
        events, error = drain(decoder_of(vendor), [stream[:cut]])
        ended = [event for event in events if isinstance(event, Finished)]
        assert len(ended) == (error is None)
        if error is None:
            assert fold(events).message() == whole
        assert error is None or type(error) is StreamInterrupted


@EACH_VENDOR
@settings(deadline=None)
@given(data=st.data())
def test_cut_to_pieces_or_damaged_it_stays_in_the_tree(vendor: Vendor, data: st.DataObject) -> None:
    stream = b"".join(vendor.stream(data.draw(st.sampled_from(ANSWERS))))
    at = data.draw(st.integers(0, len(stream)))
    damaged = stream[:at] + data.draw(st.binary(max_size=4)) + stream[at + data.draw(st.integers(0, 40)) :]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(damaged)), max_size=8)))
    pieces = [damaged[a:b] for a, b in zip([0, *cuts], [*cuts, len(damaged)], strict=True)]
    (events, error), (again, same) = drain(decoder_of(vendor), [damaged]), drain(decoder_of(vendor), pieces)
    assert error is None or isinstance(error, ProviderError)
    assert (again, type(same), str(same)) == (events, type(error), str(error))
    fold(events).message()


# Calls that come interleaved

Pieces = "Sequence[tuple[int, str]]"
"""(call, piece of its arguments) in the order in which they are sent."""


def anthropic_pieces(calls: Sequence[Call], pieces: Pieces) -> Iterator[bytes]:
    yield named({"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}})
    for at, call in enumerate(calls):
        block = {"type": "tool_use", "id": f"toolu_{at}", "name": call.name, "input": {}}
        yield named({"type": "content_block_start", "index": at, "content_block": block})
    for at, piece in pieces:
        yield named({"type": "content_block_delta", "index": at, "delta": {"type": "input_json_delta", "partial_json": piece}})
    for at in reversed(range(len(calls))):
        yield named({"type": "content_block_stop", "index": at})
    yield named({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}})
    yield named({"type": "message_stop"})


def responses_pieces(calls: Sequence[Call], pieces: Pieces) -> Iterator[bytes]:
    yield named({"type": "response.created", "response": {"status": "in_progress"}})
    items = [{"type": "function_call", "id": f"fc_{at}", "call_id": f"call_{at}", "name": call.name} for at, call in enumerate(calls)]
    for at, item in enumerate(items):
        yield named({"type": "response.output_item.added", "output_index": at, "item": {**item, "arguments": ""}})
    for at, piece in pieces:
        yield named({"type": "response.function_call_arguments.delta", "output_index": at, "item_id": f"fc_{at}", "delta": piece})
    whole = [{**item, "arguments": "".join(piece for of, piece in pieces if of == at)} for at, item in enumerate(items)]
    for at, item in reversed(list(enumerate(whole))):
        yield named({"type": "response.function_call_arguments.done", "output_index": at, "arguments": item["arguments"]})
        yield named({"type": "response.output_item.done", "output_index": at, "item": item})
    yield named({"type": "response.completed", "response": {"status": "completed", "output": whole, "usage": {"input_tokens": 3}}})


def chat_pieces(calls: Sequence[Call], pieces: Pieces) -> Iterator[bytes]:
    for at, call in enumerate(calls):
        opened = {"index": at, "id": f"call_{at}", "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield chat_chunk({"tool_calls": [opened]})
    for at, piece in pieces:
        yield chat_chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
    yield chat_chunk({}, "tool_calls")
    yield unnamed({"choices": [], "usage": CHAT_USAGE})
    yield DONE


INTERLEAVING: dict[str, Callable[[Sequence[Call], Any], Iterable[bytes]]] = {
    "anthropic_messages": anthropic_pieces,
    "openai_responses": responses_pieces,
    "openai_chat": chat_pieces,
}
"""The wires that can mix pieces of several calls. On the others each call comes whole."""

storable = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
arguments = st.dictionaries(storable, storable | st.integers() | st.lists(st.booleans(), max_size=2), max_size=3)
called = st.lists(st.builds(Call, st.sampled_from(["find", "get", "put"]), arguments), min_size=1, max_size=4)


@EACH_VENDOR
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_interleaved_calls_come_out_whole(vendor: Vendor, data: st.DataObject) -> None:
    calls = data.draw(called)
    if (interleaved := INTERLEAVING.get(vendor.wire)) is not None:
        texts = [json.dumps(call.arguments, ensure_ascii=data.draw(st.booleans())) for call in calls]
        pieces: list[tuple[int, str]] = []
        while any(texts):
            at = data.draw(st.sampled_from([at for at, text in enumerate(texts) if text]))
            size = len(texts[at]) - data.draw(st.integers(0, len(texts[at])))
            pieces.append((at, texts[at][:size]))
            texts[at] = texts[at][size:]
        stream = b"".join(interleaved(calls, pieces))
    else:
        stream = b"".join(vendor.stream(Answer("", calls=calls)))
    events, error = drain(decoder_of(vendor), [stream])
    assert error is None
    made = fold(events).message().tool_calls
    assert [(call.name, dict(call.arguments), call.malformed) for call in made] == [(call.name, call.arguments, None) for call in calls]


# Long streams


def long_stream(vendor: Vendor, answer: Answer, marker: bytes, size: int) -> Iterator[bytes]:
    """The answer with its one frame that holds `marker` sent again and again, until the stream has so many bytes."""
    frames = vendor.stream(answer)
    at = next(at for at, frame in enumerate(frames) if marker in frame)
    return chain(frames[: at + 1], repeat(frames[at], size // len(frames[at])), frames[at + 1 :])


@EACH_VENDOR
@pytest.mark.parametrize("kind", [TextDelta, ThinkingDelta])
def test_a_stream_of_a_hundred_megabytes_leaves_nothing_behind(vendor: Vendor, kind: type[TextDelta | ThinkingDelta]) -> None:
    """Twenty thousand events and more: what a decoder kept of each would add up."""
    words = "wörter " * 700
    answer = Answer([words]) if kind is TextDelta else Answer("end", thinking=words.replace(" ", "_"))
    frames = long_stream(vendor, answer, b"rter" if kind is TextDelta else b"rter_", 100 * MB)
    decoder, size, counted = decoder_of(vendor), 0, 0
    tracemalloc.start()
    try:
        for frame in frames:
            size += len(frame)
            counted += sum(isinstance(event, kind) for event in decoder.feed(frame))
        ended = any(isinstance(event, Finished) for event in decoder.flush()) or decoder.is_whole
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 99 * MB
    assert counted > 10_000
    assert ended
    assert peak < 2 * MB


@EACH_VENDOR
def test_arguments_without_an_end_are_given_up(vendor: Vendor) -> None:
    """Of a call that goes on for a hundred megabytes no more is kept than an answer may have."""
    answer = Answer("", calls=[Call("find", {"query": "wörter_" * 700})])
    frames = long_stream(vendor, answer, b"rter_", 100 * MB)
    decoder, folded = decoder_of(vendor), Accumulator(provider="p", model="m", new_id=str)
    fed = 0

    def read() -> None:
        nonlocal fed
        for frame in frames:
            fed += len(frame)
            for event in decoder.feed(frame):
                folded.add(event)

    tracemalloc.start()
    try:
        with pytest.raises(StreamInterrupted, match="did not end"):
            read()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fed < 20 * MB
    assert peak < 40 * MB


@EACH_VENDOR
def test_an_event_without_an_end_is_given_up(vendor: Vendor) -> None:
    decoder = decoder_of(vendor)
    opened = vendor.stream(Answer(["wörter"]))[0].rstrip(b"}\n")
    tracemalloc.start()
    try:
        _, error = drain(decoder, chain([opened], repeat(b"x" * 65_536, 100 * MB // 65_536)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert type(error) is StreamInterrupted
    assert "of more than" in error.detail
    assert peak < 20 * MB
