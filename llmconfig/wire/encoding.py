"""Pieces that the encoders share: media as base64, tool results as text, arguments as JSON, and the options of a config."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

from llmconfig.llm import InvalidRequest, Media, Text

if TYPE_CHECKING:
    from llmconfig.llm import JSONObject, ModelRequest, Thinking, ToolCall, ToolResult

PDF: Final = "application/pdf"
_ALIASES: Final = {"image/jpg": "image/jpeg"}


def media_type(part: Media) -> str:
    """Lower case, without parameters, in the registered spelling."""
    plain = part.media_type.partition(";")[0].strip().lower()
    return _ALIASES.get(plain, plain)


def base64_text(part: Media) -> str:
    return b64encode(part.data).decode("ascii")


def data_url(part: Media) -> str:
    return f"data:{media_type(part)};base64,{base64_text(part)}"


def refused(part: Media) -> InvalidRequest:
    named = f"“{part.name}” " if part.name else ""
    return InvalidRequest(f"This model cannot take the {part.kind} {named}({part.media_type}).")


def left_out(part: Media) -> str:
    """What the model reads in place of a medium that it cannot take."""
    return f"[{part.kind} left out: this model cannot take {part.media_type}]"


def takes(request: ModelRequest, part: Media) -> bool:
    """Whether the model is known to take this kind; where nobody knows, the wire alone decides."""
    return request.inputs is None or part.kind in request.inputs


def sealed(part: Thinking | Text, key: str) -> Any:
    """One value of a part's provider data, None where there is none."""
    return part.provider_data.data.get(key) if part.provider_data else None


def arguments_json(call: ToolCall) -> str:
    return json.dumps(call.arguments, ensure_ascii=False, separators=(",", ":"), default=dict)


def result_text(result: ToolResult) -> str:
    """The text of a result for a wire without an error flag."""
    text = "\n\n".join(part.text for part in result.parts if isinstance(part, Text))
    return f"Error: {text}" if result.is_error else text


def numbers(options: JSONObject, *names: str) -> dict[str, Any]:
    """Those of the named options that are set to a number."""
    found = ((name, options.get(name)) for name in names)
    return {name: value for name, value in found if isinstance(value, (int, float)) and not isinstance(value, bool)}


def words(options: JSONObject, *names: str) -> dict[str, Any]:
    """Those of the named options that are set to a text."""
    found = ((name, options.get(name)) for name in names)
    return {name: value for name, value in found if isinstance(value, str) and value}
