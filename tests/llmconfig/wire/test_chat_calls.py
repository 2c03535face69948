"""Attribution of `tool_calls` pieces: whatever a server sends, no two calls mix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmconfig.wire.openai_chat import Decoder
from tests.llmconfig.wire.streams import DONE, chat_chunk, decode, fold, request

if TYPE_CHECKING:
    from llmconfig.llm import ToolCall


def piece(arguments: Any = None, *, name: str | None = None, **more: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {**more, "type": "function", "function": function}


def calls(*chunks: list[Any]) -> list[tuple[str, object, object]]:
    stream = [chat_chunk({"tool_calls": chunk}) for chunk in chunks]
    message = fold(decode(Decoder(request(), provider="p"), *stream, chat_chunk({}, "stop"), DONE)).message()
    return [(call.name, call.malformed or dict(call.arguments), raw_id(call)) for call in message.tool_calls]


def raw_id(call: ToolCall) -> object:
    return call.provider_data.data["id"] if call.provider_data else None


def test_one_id_for_two_calls() -> None:
    twice = [piece('{"x":1}', name="f", index=0, id="a"), piece('{"y":2}', name="f", index=1, id="a")]
    assert calls(twice) == calls(twice[:1], twice[1:]) == [("f", {"x": 1}, "a"), ("f", {"y": 2}, "a")]


AB = [("f", {"x": 1}, "a"), ("g", {"y": 2}, "b")]


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(
            [
                [piece("", name="f", index=0, id="a")],
                [piece('{"x"', index=0)],
                [piece(":1}", index=0)],
                [piece('{"y":2}', name="g", index=1, id="b")],
            ],
            id="as documented",
        ),
        pytest.param(
            [
                [piece("", name="f", index=0, id="a"), piece("", name="g", index=1, id="b")],
                [piece('{"y":2}', index=1), piece('{"x":1}', index=0)],
            ],
            id="interleaved",
        ),
        pytest.param(
            [[piece('{"x":1}', name="f", index=0, id="a")], [piece('{"y":2}', name="g", index=0, id="b")]], id="bug 7: always index 0"
        ),
        pytest.param(
            [
                [piece('{"x"', name="f", index=0, id="a")],
                [piece('{"y"', name="g", index=0, id="b")],
                [piece(":2}", index=0, id="b")],
                [piece(":1}", index=0, id="a")],
            ],
            id="bug 7: always index 0, in pieces, by id",
        ),
        pytest.param(
            [[piece('{"x":1}', name="f", index=0, id="a")], [piece('{"y"', name="g", index=0, id="b")], [piece(":2}", index=0)]],
            id="bug 7: always index 0, the rest without an id",
        ),
        pytest.param([[piece('{"x":1}', name="f", id="a"), piece('{"y":2}', name="g", id="b")]], id="no index, whole"),
        pytest.param(
            [[piece('{"x"', name="f", id="a")], [piece(":1}")], [piece('{"y"', name="g", id="b")], [piece(":2}")]], id="no index, in pieces"
        ),
        pytest.param([[piece('{"x":1}', name="f", id="a", index=None)], [piece('{"y":2}', name="g", id="b", index=None)]], id="index null"),
        pytest.param(
            [
                [piece("", index=0, id="a")],
                [piece('{"x":1}', index=0)],
                [piece(name="f", index=0)],
                [piece('{"y":2}', name="g", index=1, id="b")],
            ],
            id="bug 8: the name arrives late",
        ),
        pytest.param(
            [[piece('{"x"', index=0)], [piece(":1}", name="f", index=0, id="a")], [piece('{"y":2}', name="g", index=1, id="b")]],
            id="name and id arrive late",
        ),
        pytest.param(
            [[piece({"x": 1}, name="f", index=0, id="a"), piece({"y": 2}, name="g", index=1, id="b")]], id="arguments as an object"
        ),
        pytest.param(
            [
                [piece("", name="f", index=0, id="a")],
                [piece('{"x"', name="f", index=0, id="a")],
                [piece(":1}", name="f", index=0, id="a")],
                [piece('{"y":2}', name="g", index=1, id="b")],
            ],
            id="name and id repeated in each piece",
        ),
        pytest.param(
            [
                [piece('{"x":1}', name="f", index=0, id="a")],
                [],
                [7, None],
                [{"index": 0, "function": None}],
                [piece('{"y":2}', name="g", index=1, id="b")],
            ],
            id="empty pieces between",
        ),
    ],
)
def test_bug_08_two_calls_however_they_are_sent(chunks: list[list[Any]]) -> None:
    assert calls(*chunks) == AB


NAMELESS_ID = [("f", {"x": 1}, None), ("g", {"y": 2}, None)]


@pytest.mark.parametrize(
    "chunks",
    [
        [[piece('{"x":1}', name="f", index=0), piece('{"y":2}', name="g", index=0)]],
        [[piece('{"x":1}', name="f", index=0)], [piece('{"y":2}', name="g", index=0)]],
        [[piece('{"x"', name="f")], [piece(":1}")], [piece('{"y"', name="g")], [piece(":2}")]],
    ],
)
def test_two_calls_without_ids(chunks: list[list[Any]]) -> None:
    assert calls(*chunks) == NAMELESS_ID


def test_the_same_tool_twice_without_ids() -> None:
    twice = [("f", {"x": 1}, None), ("f", {"x": 2}, None)]
    one, two = piece('{"x":1}', name="f", index=0), piece('{"x":2}', name="f", index=0)
    assert calls([one, two]) == twice
    assert calls([one], [two]) == twice
    bare = piece("", name="f", index=0)
    assert calls([bare, bare]) == [("f", {}, None), ("f", {}, None)]


def test_a_name_repeated_without_an_id_continues_its_open_call() -> None:
    assert calls([piece('{"x"', name="f", index=0)], [piece(":1}", name="f", index=0)], [piece(name="f", index=0)]) == [
        ("f", {"x": 1}, None)
    ]


def test_bug_08_arguments_are_parsed_at_the_end_only() -> None:
    assert calls([piece('{"x":1}', name="f", index=0, id="a")], [piece(" ", index=0)]) == [("f", {"x": 1}, "a")]
    assert calls([piece('{"x":', name="f", index=0, id="a")]) == [("f", '{"x":', "a")]
    assert calls([piece(name="f", index=0, id="a")]) == [("f", {}, "a")]


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 99), min_size=1, max_size=5),
    st.sampled_from(["documented", "index 0", "no index"]),
    st.data(),
)
def test_calls_never_mix(values: list[int], style: str, data: st.DataObject) -> None:
    """Each call cut into pieces of its own, and the pieces of all of them shuffled together as far as the style allows."""
    index = {"documented": lambda n: {"index": n}, "index 0": lambda n: {"index": 0}, "no index": lambda n: {}}[style]
    queues: list[list[dict[str, Any]]] = []
    for n, value in enumerate(values):
        text = f'{{"value":{value},"call":{n}}}'
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
        texts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        own = {"id": f"id{n}"}
        queues.append(
            [
                piece(part, name="f" if at == 0 else None, **index(n), **(own if at == 0 or style != "documented" else {}))
                for at, part in enumerate(texts)
            ]
        )
    order: list[dict[str, Any]] = []
    while any(queues):
        ready = [n for n, queue in enumerate(queues) if queue]
        order.append(queues[data.draw(st.sampled_from(ready))].pop(0))
    got = calls(*([one] for one in order))
    assert sorted(got, key=str) == sorted((("f", {"value": value, "call": n}, f"id{n}") for n, value in enumerate(values)), key=str)
