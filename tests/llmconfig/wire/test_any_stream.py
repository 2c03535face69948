"""Every wire, every stream: how the bytes are cut makes no difference, and a broken stream is an error of the tree, never a success."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmconfig.llm import Finished, ProviderError, StreamInterrupted
from llmconfig.wire import anthropic_messages, gemini, ollama, openai_chat, openai_responses
from tests.llmconfig.wire.streams import (
    ANTHROPIC_TOOLS,
    CHAT_TOOLS,
    GEMINI_TOOLS,
    OLLAMA_TOOLS,
    RESPONSES_TOOLS,
    decode,
    drain,
    fold,
    request,
)

if TYPE_CHECKING:
    from types import ModuleType

WIRES = [
    pytest.param(anthropic_messages, ANTHROPIC_TOOLS, id="anthropic"),
    pytest.param(openai_responses, RESPONSES_TOOLS, id="responses"),
    pytest.param(openai_chat, CHAT_TOOLS, id="chat"),
    pytest.param(ollama, OLLAMA_TOOLS, id="ollama"),
    pytest.param(gemini, GEMINI_TOOLS, id="gemini"),
]
EVENTS = [param for param in WIRES if param.values[0] is not ollama]
"""Those whose events have names."""
BREAKING = [b"{", b'{"error": {"message": "x"}, "type": "error"}', b"[1]", b"nonsense"]


def framing(wire: ModuleType) -> tuple[bytes, bytes]:
    """What stands before an event's JSON, and behind it."""
    return (b"", b"\n") if wire is ollama else (b"data: ", b"\n\n")


def fresh(wire: ModuleType) -> Any:
    return wire.Decoder(request(), provider="p")


def chunked(stream: bytes, cuts: list[int]) -> list[bytes]:
    ordered = sorted(cuts)
    return [stream[a:b] for a, b in zip([0, *ordered], [*ordered, len(stream)], strict=True)]


@pytest.mark.parametrize(("wire", "stream"), WIRES)
def test_cut_off_at_any_byte_it_is_whole_or_interrupted(wire: ModuleType, stream: bytes) -> None:
    whole = decode(fresh(wire), stream)
    for cut in range(len(stream)):
        events, error = drain(fresh(wire), [stream[:cut]])
        assert (error is None) == (bool(events) and isinstance(events[-1], Finished))
        assert error is None or isinstance(error, StreamInterrupted)
        assert sum(isinstance(event, Finished) for event in events) <= 1
        said = [event for event in events if not isinstance(event, Finished)]
        assert said == whole[: len(said)]


@pytest.mark.parametrize(("wire", "stream"), WIRES)
def test_an_answer_is_whole_once_its_end_alone_would_finish_it(wire: ModuleType, stream: bytes) -> None:
    decoder, told = fresh(wire), [False]
    for at in range(len(stream)):
        decoder.feed(stream[at : at + 1])
        told.append(decoder.is_whole)
        _, error = drain(fresh(wire), [stream[: at + 1]])
        assert error is None or not decoder.is_whole
    assert told == sorted(told)
    assert told[-1]


@pytest.mark.parametrize(("wire", "stream"), WIRES)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_byte_by_byte_and_with_any_line_end(wire: ModuleType, stream: bytes, line_end: bytes) -> None:
    sent = stream.replace(b"\n", line_end)
    assert drain(fresh(wire), [sent[i : i + 1] for i in range(len(sent))]) == (decode(fresh(wire), stream), None)


@pytest.mark.parametrize(("wire", "stream"), WIRES)
@settings(deadline=None)
@given(data=st.data())
def test_any_chunking_gives_the_same_events_and_the_same_failure(wire: ModuleType, stream: bytes, data: st.DataObject) -> None:
    before, end = framing(wire)
    at = data.draw(st.sampled_from([i for i in range(len(stream)) if stream.startswith(end, i)])) + len(end)
    broken = stream[:at] + data.draw(st.sampled_from([b"", *(before + event + end for event in BREAKING)])) + stream[at:]
    cuts = data.draw(st.lists(st.integers(0, len(broken)), max_size=12))
    events, error = drain(fresh(wire), [broken])
    again, error_again = drain(fresh(wire), chunked(broken, cuts))
    assert again == events
    assert (type(error_again), str(error_again)) == (type(error), str(error))


@pytest.mark.parametrize(("wire", "stream"), WIRES)
@settings(deadline=None)
@given(data=st.data())
def test_a_damaged_stream_never_escapes_the_tree(wire: ModuleType, stream: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(stream) - 1))
    damaged = stream[:at] + data.draw(st.binary(min_size=1, max_size=4)) + stream[at + data.draw(st.integers(0, 40)) :]
    events, error = drain(fresh(wire), [damaged])
    assert error is None or isinstance(error, ProviderError)
    assert fold(events).message().role == "assistant"


@pytest.mark.parametrize(("wire", "stream"), EVENTS)
@pytest.mark.parametrize(
    ("failing", "detail"),
    [
        (b'event: error\ndata: {"message": "No GPU is free"}\n\n', "The provider is overloaded or failing: No GPU is free."),
        (b'event: error\ndata: {"message": "Slow down", "code": 429}\n\n', "The provider asks to slow down: Slow down."),
        (b'event: error\ndata: {"error": {"message": "No GPU is free"}}\n\n', "The provider is overloaded or failing: No GPU is free."),
        (
            b'error: {"code": 500, "message": "No GPU is free", "type": "server_error"}\n\n',
            "The provider is overloaded or failing: No GPU is free.",
        ),
        (b"event: error\ndata: {}\n\n", "The provider is overloaded or failing."),
    ],
)
def test_an_event_that_is_named_error_is_told_on_every_wire(wire: ModuleType, stream: bytes, failing: bytes, detail: str) -> None:
    events, error = drain(fresh(wire), [stream[: stream.index(b"\n\n") + 2] + failing])
    assert not any(isinstance(event, Finished) for event in events)
    assert error is not None
    assert error.detail == detail


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(("wire", "stream"), WIRES)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_fields_of_the_wrong_type_never_escape_the_tree(wire: ModuleType, stream: bytes, data: st.DataObject) -> None:
    """Any one value of any one event replaced by arbitrary JSON."""
    before, end = framing(wire)
    frames = stream.strip().split(end)
    at = data.draw(st.sampled_from([i for i, frame in enumerate(frames) if not frame.endswith(b"[DONE]")]))
    event = json.loads(frames[at].partition(before)[2] if before else frames[at])
    holder, key = data.draw(st.sampled_from(list(places(event))))
    holder[key] = data.draw(JSON)
    frames[at] = before + json.dumps(event).encode()
    events, error = drain(fresh(wire), [frame + end for frame in frames])
    assert error is None or isinstance(error, ProviderError)
    assert fold(events).message(complete=False).role == "assistant"
    fold(events).message().text.encode()


def places(value: Any) -> list[tuple[Any, Any]]:
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    return [(value, key) for key, _ in items] + [place for _, inner in items for place in places(inner)]
