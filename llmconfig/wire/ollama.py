"""Ollama's own chat: a request to its body, its lines of JSON to neutral events.

https://docs.ollama.com/api/chat; field by field as `api/types.go` of github.com/ollama/ollama has them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, cast

from llmconfig.llm import (
    BlockData,
    FinishReason,
    Media,
    Message,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCallDelta,
    ToolResult,
    Usage,
    UsageReported,
)
from llmconfig.wire.decoding import StreamDecoder, count, disjoint_input, object_of, objects, optional_object, text_of
from llmconfig.wire.encoding import base64_text, numbers, result_text, takes, words
from llmconfig.wire.errors import error_event, error_from
from llmconfig.wire.history import repaired
from llmconfig.wire.names import ToolNames, call_ids
from llmconfig.wire.ndjson import LineSplitter
from llmconfig.wire.reasoning import effort_of
from llmconfig.wire.schema import fresh, function_tools, parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llmconfig.llm import JSONObject, ModelRequest, Reasoning, StreamEvent

__all__ = ["Decoder", "encode", "error_from"]

_ECHO: Final = "echo"
"""Marks a thought that this wire received whole. Ollama signs none, and takes back its own."""
_SEALS: Final = frozenset({_ECHO})

_REASONS: Final[Mapping[str, FinishReason]] = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "": FinishReason.STOP,  # `done` alone is an end, too
}
_SCHEMA: Final = "When you give your final answer, and call no tool, answer with nothing but a JSON object that fits this JSON Schema:"


def encode(request: ModelRequest, *, provider: str) -> dict[str, Any]:
    """The JSON body. Raises `InvalidRequest` for media that this wire cannot carry.

    `truncate` and `shift` are off: by default Ollama drops the beginning of a conversation that exceeds the context window,
    and answers from the rest as if nothing were missing. Off, it refuses (servers before 0.12.5 know neither and go on dropping).

    A schema for the answer becomes `format`, which forbids every token that does not fit, a tool call's as well: beside tools
    the model is asked for it in words instead.
    """
    history = repaired(request, provider=provider, carries=carries, seals=_SEALS)
    names = ToolNames(request)
    body: dict[str, Any] = {"model": request.model, "stream": True, "truncate": False, "shift": False}
    if request.tools:
        body["tools"] = function_tools(request, names, _parameters)
    elif request.output_schema is not None:
        body["format"] = fresh(request.output_schema)
    body["messages"] = [*_system(request), *_messages(history, names)]
    if (think := _think(request.model, request.reasoning)) is not None:
        body["think"] = think
    if options := _options(request):
        body["options"] = options
    if keep_alive := words(request.options, "keep_alive"):
        body["keep_alive"] = _duration(keep_alive["keep_alive"])
    return body


def carries(request: ModelRequest, part: Media) -> bool:
    return part.kind == "image" and takes(request, part)


def _system(request: ModelRequest) -> list[dict[str, Any]]:
    said = [request.system] if request.system.strip() else []
    if request.tools and request.output_schema is not None:
        said.append(f"{_SCHEMA}\n{json.dumps(fresh(request.output_schema), ensure_ascii=False)}")
    return [{"role": "system", "content": "\n\n".join(said)}] if said else []


def _options(request: ModelRequest) -> dict[str, Any]:
    options = numbers(request.options, "num_ctx", "temperature", "top_p")
    return options if request.max_output_tokens is None else {"num_predict": request.max_output_tokens, **options}


def _think(model: str, reasoning: Reasoning | None) -> bool | str | None:
    """gpt-oss takes words, and cannot be told not to think; all others take yes or no, and some servers refuse them a word."""
    if "gpt-oss" in model.lower():
        return effort_of(reasoning, ("low", "medium", "high"))
    if reasoning is None or (reasoning.effort is None and reasoning.budget_tokens is None):
        return None
    return reasoning.budget_tokens != 0 if reasoning.effort is None else reasoning.effort != "none"


def _duration(text: str) -> str | float:
    """`10m`, or a number of seconds, which the server takes only as a number; below zero for ever."""
    return float(text) if re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", text) else text


def _parameters(schema: JSONObject) -> dict[str, Any]:
    """The server reads a tool's schema into structures of its own, and refuses the whole request for a property that is `true`."""
    return cast("dict[str, Any]", _without_booleans(parameters(schema)))


def _without_booleans(schema: Any) -> Any:
    if isinstance(schema, bool):
        return {}
    if not isinstance(schema, dict):
        return schema
    found = cast("dict[str, Any]", schema)
    for name in ("properties", "$defs"):
        if isinstance(found.get(name), dict):
            found[name] = {key: _without_booleans(value) for key, value in found[name].items()}
    if isinstance(found.get("anyOf"), list):
        found["anyOf"] = [_without_booleans(value) for value in found["anyOf"]]
    return found


def _messages(history: Sequence[Message], names: ToolNames) -> Iterator[dict[str, Any]]:
    """Images that tools returned open the user's next message, or make one: templates show a `tool` message's text alone."""
    ids, called = call_ids(history), {call.id: names.to_wire(call.name) for message in history for call in message.tool_calls}
    returned: list[str] = []
    for message in (*history, None):
        if returned and (message is None or message.role == "assistant"):
            yield {"role": "user", "content": "The tools returned these images.", "images": returned}
            returned = []
        match message:
            case Message("tool", parts):
                results = [part for part in parts if isinstance(part, ToolResult)]
                for part in results:
                    answered = {"tool_name": called[part.tool_call_id], "tool_call_id": ids[part.tool_call_id]}
                    yield {"role": "tool", **answered, "content": result_text(part)}
                returned = [image for part in results for image in _images(part.parts)]
            case Message("user", parts):
                yield _said(parts, returned)
                returned = []
            case Message():
                yield _answer(message, names, ids)
            case _:
                pass


def _said(parts: Sequence[object], returned: Sequence[str]) -> dict[str, Any]:
    text = "\n\n".join(part.text for part in parts if isinstance(part, Text))
    images = [*returned, *_images(parts)]
    said: dict[str, Any] = {"role": "user", "content": f"The tools returned the first of these images.\n\n{text}" if returned else text}
    return said | {"images": images} if images else said


def _images(parts: Sequence[object]) -> list[str]:
    return [base64_text(part) for part in parts if isinstance(part, Media)]


def _answer(message: Message, names: ToolNames, ids: Mapping[str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = {"role": "assistant", "content": message.text}
    if thinking := "".join(part.text for part in message.parts if isinstance(part, Thinking)):
        answer["thinking"] = thinking
    if message.tool_calls:
        answer["tool_calls"] = [
            {"id": ids[call.id], "function": {"index": index, "name": names.to_wire(call.name), "arguments": fresh(call.arguments)}}
            for index, call in enumerate(message.tool_calls)
        ]
    return answer


class Decoder(StreamDecoder):
    """Lines with pieces of a message, the last of them `done` with the counts of tokens; an error in between is a line of its own.

    A call comes whole, and each is one of its own: its `index` starts anew with every line (ollama#15457), its id may be missing.
    """

    __slots__ = ("_blocks", "_calls")
    splitter = LineSplitter

    def __init__(self, request: ModelRequest, *, provider: str, label: str = "The provider") -> None:
        super().__init__(request, provider=provider, label=label)
        self._blocks: dict[str, int] = {}  # text and thinking to their block
        self._calls = 0

    def _on(self, event: dict[str, Any], out: list[StreamEvent]) -> None:
        if event.get("error"):
            raise error_event(event, label=self._label)
        if (message := event.get("message")) is not None:
            self._on_message(object_of(message), out)
        if event.get("done") is True:
            if (usage := _usage(event)) != Usage():
                out.append(UsageReported(usage))
            self._finish(out, text_of(event.get("done_reason")), _REASONS, called=self._calls > 0)

    def _on_document(self, value: dict[str, Any], out: list[StreamEvent]) -> None:
        if value.get("done") is True:
            self._on(value, out)

    def _on_message(self, message: dict[str, Any], out: list[StreamEvent]) -> None:
        if thought := text_of(message.get("thinking")):
            begun = "thinking" in self._blocks
            block = self._block("thinking")
            out.append(ThinkingDelta(block, thought))
            if not begun:
                out.append(BlockData(block, "thinking", {_ECHO: True}))
        if content := text_of(message.get("content")):
            out.append(TextDelta(self._block("text"), content))
        for call in objects(message.get("tool_calls")):
            function = optional_object(call.get("function"))
            block = self._next_block()
            self._calls += 1
            name = self._names.to_neutral(text_of(function.get("name")))
            out.append(ToolCallDelta(block, name, _arguments(function.get("arguments")), text_of(call.get("id"))))

    def _block(self, kind: str) -> int:
        if kind not in self._blocks:
            self._blocks[kind] = self._next_block()
        return self._blocks[kind]

    def _next_block(self) -> int:
        return len(self._blocks) + self._calls


def _arguments(value: object) -> str:
    """An object; a text where a proxy passes on what another server sent."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else text_of(value)


def _usage(event: dict[str, Any]) -> Usage:
    """prompt_eval_count includes what was cached (servers from 0.33 on say how much). A count of 0 is left out, as is one not made."""
    total, cached = count(event.get("prompt_eval_count")), count(event.get("prompt_eval_cached_count"))
    return Usage(disjoint_input(total, cached, None), count(event.get("eval_count")), cache_read_tokens=cached)
