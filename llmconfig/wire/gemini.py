"""Google's Gemini API (and Vertex AI): a neutral request to the body of `streamGenerateContent`. `gemini_stream` decodes its chunks.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from llmconfig.llm import Media, Text, Thinking, ToolCall, ToolResult
from llmconfig.wire.encoding import PDF, base64_text, media_type, numbers, takes
from llmconfig.wire.errors import error_from
from llmconfig.wire.gemini_models import thinking_config, traits_of
from llmconfig.wire.gemini_schema import function_parameters, reduced_schema
from llmconfig.wire.gemini_stream import SIGNATURE, Decoder
from llmconfig.wire.history import repaired
from llmconfig.wire.names import ToolNames
from llmconfig.wire.schema import fresh

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmconfig.llm import Message, ModelRequest, Part
    from llmconfig.wire.gemini_models import Traits

__all__ = ["Decoder", "carries", "encode", "error_from", "sent_as"]

_SEALS: Final = frozenset({SIGNATURE})
UNSIGNED: Final = "skip_thought_signature_validator"
"""Google's own word for a call that another model made: https://ai.google.dev/gemini-api/docs/thought-signatures, FAQs."""
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
_PLAIN: Final = "text/plain"
_TEXTUAL: Final = frozenset({"application/json", "application/xml", "application/javascript", "application/yaml", "application/x-yaml"})
_IN_RESULTS: Final = frozenset({"image/png", "image/jpeg", "image/webp", PDF, _PLAIN})
_SPELLINGS: Final = {"audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "audio/x-m4a": "audio/m4a"}


def encode(request: ModelRequest, *, provider: str) -> dict[str, Any]:
    """The JSON body; the model's name stands in the path. Raises `InvalidRequest` for media that this wire cannot carry.

    What stays the same between the requests of a conversation comes out the same, byte for byte: Gemini caches beginnings by itself.
    """
    traits = traits_of(request.model)
    history = repaired(request, provider=provider, carries=carries, seals=_SEALS)
    names = ToolNames(request)
    body: dict[str, Any] = {}
    if request.system.strip():
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    if request.tools:
        body["tools"] = [{"functionDeclarations": _declarations(request, names)}]
    body["contents"] = _contents(history, names, traits)
    if generation := _generation(request):
        body["generationConfig"] = generation
    return body


def _declarations(request: ModelRequest, names: ToolNames) -> list[dict[str, Any]]:
    told = [(names.to_wire(tool.name), tool.description, function_parameters(tool.input_schema)) for tool in request.tools]
    return [
        {"name": name, "description": description} | ({"parametersJsonSchema": parameters} if parameters else {})
        for name, description, parameters in told
    ]


def _generation(request: ModelRequest) -> dict[str, Any]:
    given = numbers(request.options, "temperature", "top_p")
    config = {name: given[option] for option, name in (("temperature", "temperature"), ("top_p", "topP")) if option in given}
    if request.max_output_tokens is not None:
        config["maxOutputTokens"] = request.max_output_tokens
    if stops := _stops(request.options.get("stop")):
        config["stopSequences"] = stops
    if thinking := thinking_config(request.model, request.reasoning):
        config["thinkingConfig"] = thinking
    if request.output_schema is not None:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": reduced_schema(request.output_schema)}
    return config


def _stops(value: object) -> list[str]:
    given = cast("Iterable[object]", value if isinstance(value, (list, tuple)) else [value])
    return [word for word in given if isinstance(word, str) and word]


def _contents(history: Sequence[Message], names: ToolNames, traits: Traits) -> list[dict[str, Any]]:
    """Roles alternate: the results of functions open the user's turn, ahead of what the user says next."""
    made = {call.id: call for message in history for call in message.tool_calls}
    contents: list[dict[str, Any]] = []
    for message in history:
        match message.role:
            case "assistant":
                role, parts = "model", _answer(message, names, traits)
            case "tool":
                role, parts = "user", _results(message, made, names, traits)
            case _:
                role, parts = "user", [_said(part) for part in message.parts]
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})
    return contents


def _said(part: Part) -> dict[str, Any]:
    return _media(part) if isinstance(part, Media) else {"text": part.text if isinstance(part, Text) else ""}


def _answer(message: Message, names: ToolNames, traits: Traits) -> list[dict[str, Any]]:
    """As the model said it, its signatures at their places, or they no longer fit. The first call of a step must have one."""
    parts = [_own(part, names) for part in message.parts]
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None and traits.modern:
        first.setdefault("thoughtSignature", UNSIGNED)
    return parts


def _own(part: Part, names: ToolNames) -> dict[str, Any]:
    match part:
        case ToolCall():
            said: dict[str, Any] = {"functionCall": {**_named(part, names), "args": fresh(part.arguments)}}
        case Thinking(text):
            said = {"text": text, "thought": True}
        case _:
            said = {"text": part.text if isinstance(part, Text) else ""}
    signature = _kept(part, SIGNATURE)
    return said | ({"thoughtSignature": signature} if signature else {})


def _named(call: ToolCall, names: ToolNames) -> dict[str, Any]:
    """Name and id of a call and of its result; an id only where Google gave one."""
    raw = _kept(call, "id")
    return ({"id": raw} if raw else {}) | {"name": names.to_wire(call.name)}


def _kept(part: Part, key: str) -> str:
    value = part.provider_data.data.get(key) if isinstance(part, (Text, Thinking, ToolCall)) and part.provider_data else None
    return value if isinstance(value, str) else ""


def _results(message: Message, made: dict[str, ToolCall], names: ToolNames, traits: Traits) -> list[dict[str, Any]]:
    """In call order. Media that a result cannot hold itself come behind all results."""
    parts: list[dict[str, Any]] = []
    behind: list[dict[str, Any]] = []
    for result in (part for part in message.parts if isinstance(part, ToolResult)):
        call = made[result.tool_call_id]
        media = [part for part in result.parts if isinstance(part, Media)]
        inside = [part for part in media if traits.modern and not part.uploaded and sent_as(part) in _IN_RESULTS]
        beside = [part for part in media if part not in inside]
        response: dict[str, Any] = {**_named(call, names), "response": _response(result)}
        if inside:
            response["parts"] = [_media(part) for part in inside]
        parts.append({"functionResponse": response})
        if beside:
            behind += [{"text": f"{names.to_wire(call.name)} returned:"}, *map(_media, beside)]
    return parts + behind


def _response(result: ToolResult) -> dict[str, Any]:
    """`output` and `error` are the keys that Gemini knows."""
    text = "\n\n".join(part.text for part in result.parts if isinstance(part, Text))
    return {"error" if result.is_error else "output": text}


def carries(request: ModelRequest, part: Media) -> bool:
    """Whether Gemini and this model take such media. Of the types of audio and video Gemini is asked."""
    if not takes(request, part):
        return False
    match part.kind:
        case "image":
            return media_type(part) in _IMAGES
        case "document":
            return sent_as(part) in {PDF, _PLAIN}
        case _:
            return True


def sent_as(part: Media) -> str:
    """The type under which Gemini takes it: every kind of text is plain text."""
    kind = media_type(part)
    if part.kind == "document" and (kind.startswith("text/") or kind in _TEXTUAL):
        return _PLAIN
    return _SPELLINGS.get(kind, kind)


def _media(part: Media) -> dict[str, Any]:
    if part.uploaded:
        return {"fileData": {"mimeType": sent_as(part), "fileUri": part.uploaded}}
    return {"inlineData": {"mimeType": sent_as(part), "data": base64_text(part)}}
