"""Gemini's generateContent. `model` is in its path: the fake puts it into the body that is judged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.fakes.strict import seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SKIPS = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""What Google lets stand in place of a signature, for calls that another model made."""
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")


def objection(body: Mapping[str, Any]) -> str:
    return next(_objections(body, body["model"]), "")


def _objections(body: Mapping[str, Any], model: str) -> Iterator[str]:
    contents = body["contents"]
    if not contents:
        yield "* GenerateContentRequest.contents: contents is not specified"
    for at, content in enumerate(contents):
        if content["role"] != ("user", "model")[at % 2]:
            yield "Please ensure that multiturn requests alternate between user and model."
        if not content["parts"]:
            yield f"* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty."
        for part in content["parts"]:
            yield from _part(part, at, model)
    if contents and contents[-1]["role"] != "user":
        yield "Please ensure that single turn requests end with a user role or the role field is empty."
    yield from _pairs(contents)
    yield from _signed(contents, model)
    for tool in body.get("tools", ()):
        for declared in tool.get("functionDeclarations", ()):
            yield from _name(declared["name"])


def _part(part: Mapping[str, Any], at: int, model: str) -> Iterator[str]:
    if not set(part) & {"text", "functionCall", "functionResponse", "inlineData", "fileData"}:
        yield f"* GenerateContentRequest.contents[{at}].parts[0].data: required oneof field 'data' must have one initialized field"
    if part.get("text") == "" and "thoughtSignature" not in part:
        yield "Unable to submit request because it must have a text parameter."
    for kind in ("functionCall", "functionResponse"):
        if kind in part:
            yield from _name(part[kind]["name"])
    if isinstance(part.get("functionResponse", {}).get("response", {}), dict) is False:
        yield "Invalid value at 'contents[0].parts[0].function_response.response' (type.googleapis.com/google.protobuf.Struct)"
    signature = part.get("thoughtSignature")
    sealed = part["functionCall"]["name"] if "functionCall" in part else part.get("text", "")
    if signature is not None and signature not in SKIPS and signature != seal("gemini", model, sealed):
        yield "Thought signature is not valid."


def _name(name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield "Invalid function name. Must start with a letter or an underscore, and go on with letters, digits, _, ., : or -, max 64."


def _pairs(contents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    asked: list[str] = []
    for content in contents:
        responses = [part["functionResponse"]["name"] for part in content["parts"] if "functionResponse" in part]
        if responses != asked:
            yield (
                "Please ensure that the number of function response parts is equal to the number of function call parts "
                "of the function call turn."
            )
        asked = [part["functionCall"]["name"] for part in content["parts"] if "functionCall" in part]
    if asked:
        yield "Please ensure that function call turn comes immediately after a user turn or after a function response turn."


def _signed(contents: Sequence[Mapping[str, Any]], model: str) -> Iterator[str]:
    """From version 3 on the first call of each step of the current turn must be signed."""
    if not re.search(r"gemini-[3-9]", model):
        return
    turn = next((at for at in range(len(contents) - 1, -1, -1) if _asks(contents[at])), 0)
    for at, content in enumerate(contents[turn:], turn):
        first = next((part for part in content["parts"] if "functionCall" in part), None)
        if first is not None and not first.get("thoughtSignature"):
            name = first["functionCall"]["name"]
            yield (
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and "
                f"missing thought_signature may lead to degraded model performance. Additional data, function call `{name}`, position {at}."
            )


def _asks(content: Mapping[str, Any]) -> bool:
    return content["role"] == "user" and any("functionResponse" not in part for part in content["parts"])
