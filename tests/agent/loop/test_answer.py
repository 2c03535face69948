"""The schema of an answer, and answers judged by it, within bounds."""

from __future__ import annotations

from typing import Any

import pytest

from agent.loop.answer import MAX_CHARS, answer_problem, answers_so_far, schema_problem
from llmconfig.llm import Message, Text, ToolCall, ToolResult

TEXT = {"type": "string"}


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = thing()
    for _ in range(levels):
        schema = thing(x=schema)
    return schema


DOUBLING = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
CIRCLE = {"type": "object", "allOf": [{"$ref": "#"}]}


@pytest.mark.parametrize(
    "schema",
    [
        thing(),
        thing(a=TEXT) | {"$schema": "http://json-schema.org/draft-07/schema#"},
        thing(**{"$id": TEXT, "patternProperties": TEXT}),
        thing(a={"enum": [{"$ref": "x"}]}, b={"default": {"$id": "x"}}),
        thing(a={"$ref": "#/$defs/a~1b~0c"}, b={"$ref": "#"}) | {"$defs": {"a/b~c": True}},
        thing(a={"anyOf": [TEXT, {"type": "null"}]}),
        thing(a={"const": "\\u0000 🔎"}),
        nested(15),
    ],
)
def test_a_schema_that_can_be_asked_for(schema: dict[str, Any]) -> None:
    assert schema_problem(schema) is None


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({}, 'its "type" must be "object"'),
        ({"type": "array"}, 'its "type" must be "object"'),
        (thing(a={"type": "text"}), "no JSON Schema (draft 2020-12): at /properties/a/type: 'text' is not"),
        ({"type": "object", "properties": []}, "at /properties: [] is not of type 'object'"),
        (thing(a=TEXT) | {"patternProperties": {"(a+)+$": TEXT}}, "uses “patternProperties”"),
        (thing(a={"$id": "https://example.com"}), "uses “$id”"),
        (thing(a={"$schema": "x"}), "uses “$schema”"),
        (thing(a={"anyOf": [{"$dynamicRef": "#x"}]}), "uses “$dynamicRef”"),
        (thing(a={"$ref": "http://169.254.169.254/"}), "refers to 'http://169.254.169.254/', which is not in it"),
        (thing(a={"$ref": "#/$defs/a"}), "refers to '#/$defs/a'"),
        (thing(a={"$ref": "#/type/a"}), "refers to"),
        (thing(a={"$ref": 7}), "refers to '7'"),
        (thing(a={"description": "x" * MAX_CHARS}), "32,000 are allowed"),
        (nested(21), "nested deeper"),
        (thing(a={"const": float("inf")}), "JSON cannot hold"),
        (thing(a={"const": "\ud800"}), "JSON cannot hold"),
        (thing(a={"const": "\0"}), "NUL"),
    ],
)
def test_a_schema_that_cannot(schema: dict[str, Any], says: str) -> None:
    problem = schema_problem(schema)
    assert problem is not None
    assert says in problem


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("{}", thing()),
        (' {"a": "x"}\n', thing(a=TEXT) | {"required": ["a"], "additionalProperties": False, "$schema": "x"}),
        ('{"a": "x"}', thing(a={"type": "string", "pattern": "^(y+)+$", "format": "date"})),
        ('{"a": [1, 2]}', thing(a={"uniqueItems": True})),
        ('{"a": ["x", "x"]}', thing(a={"items": {"$ref": "#/$defs/a"}}) | {"$defs": {"a": TEXT}}),
        (f'{{"a": {[1] * 1001}}}', thing(a={"uniqueItems": True})),
    ],
)
def test_an_answer_that_fits(text: str, schema: dict[str, Any]) -> None:
    assert answer_problem(text, schema) is None


@pytest.mark.parametrize(
    ("text", "schema", "says"),
    [
        ("", thing(), "not a JSON object"),
        ("Hello", thing(), "not a JSON object"),
        ("[1]", thing(), "not a JSON object"),
        ('{"a": NaN}', thing(), "not a JSON object"),
        ('{"a": 1}', thing(a=TEXT), "at /a: 1 is not of type 'string'"),
        ('{"a": [{"b": 1}]}', thing(a={"items": thing(b=TEXT)}), "at /a/0/b: 1 is not"),
        ("{}", thing() | {"required": ["a"]}, "'a' is a required property"),
        ('{"a": [1, 1]}', thing(a={"uniqueItems": True}), "non-unique"),
        ('{"a": "x"}', thing(a={"$ref": "#/$defs/d0"}) | {"$defs": {**DOUBLING, "d60": TEXT}}, "too large to be checked"),
        ("{}", CIRCLE, "too large to be checked"),
    ],
)
def test_an_answer_that_does_not(text: str, schema: dict[str, Any], says: str) -> None:
    problem = answer_problem(text, schema)
    assert problem is not None
    assert says in problem


def test_what_is_wrong_is_told_in_short() -> None:
    wanted = thing(**{f"p{number}": TEXT for number in range(9)})
    problem = answer_problem(str({f"p{number}": ["x" * 1000] for number in range(9)}).replace("'", '"'), wanted)
    assert problem is not None
    assert len(problem.splitlines()) == 3
    assert len(problem) < 1000


def test_final_answers_since_the_user_last_spoke() -> None:
    said, call = Message("assistant", (Text("{}"),)), Message("assistant", (ToolCall("a", "t", {}),))
    user, result = Message("user", (Text("hi"),)), Message("tool", (ToolResult("a", ()),))
    histories = [(), (said, user), (said, user, call, result, said), (user, said, call, result, said)]
    assert [answers_so_far(history) for history in histories] == [0, 0, 1, 2]
