"""The schema that a run's final answer shall meet: whether one can be asked for, and whether a text meets it.

Schemas come from callers and answers from models, so that judging one by the other is bounded: no pattern is run (a regular expression
can take longer than anyone waits), nothing is fetched, and references are followed within the schema only, so many times and no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from llmconfig.llm import Message, Text, parse_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from llmconfig.llm import JSONObject

MAX_CHARS: Final = 32_000
"""Of a schema, as JSON."""
MAX_DEPTH: Final = 40
MAX_STEPS: Final = 100_000
"""Words of the schema that are applied to one answer, about a second's worth."""
MAX_UNIQUE: Final = 1000
"""Items up to which an array is searched for doubles: that takes the square of their number."""
_LOOKED_AT: Final = 50
_SHOWN: Final = 3
_CUT: Final = 300
_REFUSED: Final = frozenset(
    ("patternProperties", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor")
) | {"$id", "$anchor", "$vocabulary"}
_DATA: Final = frozenset(("enum", "const", "default", "examples"))
_NAMED: Final = frozenset(("properties", "$defs", "definitions", "dependentSchemas"))


class _TooLong(Exception):
    """Judging took too many steps."""


def schema_problem(schema: JSONObject) -> str | None:
    """Why no answer can be asked for by this schema, in words for its author; None where one can."""
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        return "The schema has numbers or texts that JSON cannot hold, or is nested too deep."
    if len(text) > MAX_CHARS:
        return f"The schema has {len(text):,} characters; {MAX_CHARS:,} are allowed."
    if "\\u0000" in text.replace("\\\\", ""):
        return "The schema holds a NUL character, which cannot be stored."
    if schema.get("type") != "object":
        return 'The schema must be of an object: its "type" must be "object".'
    problem = next(_oddities(schema, schema, 0), None)
    if problem is not None:
        return problem
    library: Any = import_module("jsonschema")
    try:
        library.Draft202012Validator.check_schema(_plain(schema))
    except library.SchemaError as error:
        return f"This is no JSON Schema (draft 2020-12): {_place(error)}{error.message[:_CUT]}"
    return None


def answer_problem(text: str, schema: JSONObject) -> str | None:
    """Why this text is no answer by the schema, in words for the model; None where it is. Takes up to some seconds: not for a loop.

    `pattern` and `format` are told to the model, and not judged.
    """
    value, malformed = parse_arguments(text)
    if malformed is not None or not text.strip():
        return "The answer is not a JSON object."
    library: Any = import_module("jsonschema")
    validator = _bounded(library.Draft202012Validator)(_plain(schema))
    try:
        found: list[Any] = sorted(islice(validator.iter_errors(value), _LOOKED_AT), key=lambda error: len(error.absolute_path))
    except (_TooLong, RecursionError):
        return "The answer is too large to be checked against the schema. Make it smaller."
    if not found:
        return None
    return "\n".join(f"{_place(error)}{error.message[:_CUT]}" for error in found[:_SHOWN])


def answers_so_far(history: Sequence[Message]) -> int:
    """How many final answers were given since the user last spoke: one more than were sent back to be put right."""
    count = 0
    for message in reversed(history):
        if message.role == "user":
            break
        count += message.role == "assistant" and not message.tool_calls
    return count


def complaint(problem: str) -> Message:
    """What the model is told of an answer that does not meet the schema. It is no message of the conversation: the user did not say it."""
    told = f"Your answer does not fit the JSON Schema that it must meet:\n{problem}\nGive the whole answer again, put right."
    return Message("user", (Text(told),))


def _plain(schema: JSONObject) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "$schema"}


def _oddities(schema: object, root: JSONObject, depth: int) -> Iterator[str]:
    """What is legal in JSON Schema, and not taken here."""
    if depth > MAX_DEPTH:
        yield f"The schema is nested deeper than {MAX_DEPTH} levels."
    elif isinstance(schema, (list, tuple)):
        for each in cast("list[object]", schema):
            yield from _oddities(each, root, depth + 1)
    elif isinstance(schema, Mapping):
        for key, value in cast("JSONObject", schema).items():
            if key in _REFUSED or (key == "$schema" and schema is not root):
                yield f"The schema uses “{key}”, which is not supported here."
            elif key == "$ref" and not _resolves(value, root):
                yield f"The schema refers to {str(value)[:_CUT]!r}, which is not in it."
            elif key in _NAMED and isinstance(value, Mapping):
                yield from _oddities(list(cast("JSONObject", value).values()), root, depth + 1)
            elif key not in _DATA:
                yield from _oddities(value, root, depth + 1)


def _resolves(reference: object, root: JSONObject) -> bool:
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return False
    found: object = root
    for step in reference.split("/")[1:]:
        found = _member(found, step.replace("~1", "/").replace("~0", "~"))
    return isinstance(found, (Mapping, bool))


def _member(value: object, key: str) -> object:
    return cast("JSONObject", value).get(key) if isinstance(value, Mapping) else None


def _bounded(validator: Any) -> Any:
    """The same validator, which gives up after so many steps and runs no pattern."""
    left = [MAX_STEPS]

    def counted(rule: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
        def judge(*args: Any) -> Iterator[Any]:
            left[0] -= 1
            if left[0] < 0:
                raise _TooLong
            yield from rule(*args) or ()

        return judge

    rules: dict[str, Any] = {name: counted(rule) for name, rule in validator.VALIDATORS.items() if name not in ("pattern", "format")}
    unique = rules["uniqueItems"]

    def unique_items(one: Any, wanted: object, instance: Any, schema: object) -> Iterator[Any]:
        if not isinstance(instance, list) or len(cast("list[object]", instance)) <= MAX_UNIQUE:
            yield from unique(one, wanted, instance, schema)

    never = {"pattern": _nothing, "format": _nothing, "uniqueItems": unique_items}
    return import_module("jsonschema").validators.extend(validator, rules | never)


def _nothing(*_: object) -> tuple[()]:
    return ()


def _place(error: Any) -> str:
    path: list[object] = list(error.absolute_path)
    return f"at /{'/'.join(map(str, path))}: " if path else ""
