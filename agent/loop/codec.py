"""Parts as JSON: what a message row stores, and the subset of it that the API and events show.

A stored part carries `provider_data` (and a call its `malformed` text) beside the public fields; `public()` leaves them out.
A medium is stored as the attachment that holds its bytes; rows of before attachments hold the bytes themselves, as base64.
A tool call is shown as the tool's own `name` and its `service`; inside, both are one qualified name.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from llmconfig.llm import Media, Message, Part, ProviderData, Role, Text, Thinking, ToolCall, ToolResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    MediaReader = Callable[[Mapping[str, Any]], Text | Media]

SEPARATOR = "__"
_PRIVATE = ("provider_data", "malformed")


def part_to_json(part: Part) -> dict[str, Any]:
    match part:
        case Text(text, data):
            return {"type": "text", "text": text} | _data_to_json(data)
        case Thinking(text, data):
            return {"type": "thinking", "text": text} | _data_to_json(data)
        case Media():
            row = {"type": part.kind, "media_type": part.media_type, "data": base64.b64encode(part.data).decode("ascii")}
            return row | ({"name": part.name} if part.name else {})
        case ToolCall():
            service, name = split_name(part.name)
            call: dict[str, Any] = {"type": "tool_call", "id": part.id, "name": name, "arguments": dict(part.arguments), "service": service}
            malformed = {} if part.malformed is None else {"malformed": part.malformed}
            return call | malformed | _data_to_json(part.provider_data)
        case _:
            return {
                "type": "tool_result",
                "tool_call_id": part.tool_call_id,
                "parts": [part_to_json(inner) for inner in part.parts],
                "is_error": part.is_error,
            }


def inline_media(row: Mapping[str, Any]) -> Text | Media:
    """A stored medium without looking anything up: what holds its bytes itself, or else a note."""
    if "data" not in row:
        return Text(f"[{described(row)} is no longer there]")
    return Media(row["type"], row["media_type"], base64.b64decode(row["data"]), row.get("name", ""))


def described(row: Mapping[str, Any]) -> str:
    """A stored medium in words for a model."""
    name = row.get("name")
    return f"{row['type']} “{name}” ({row['media_type']})" if name else f"{row['type']} ({row['media_type']})"


def part_from_json(row: Mapping[str, Any], media: MediaReader = inline_media) -> Part:
    """media: what a stored medium is to the model, its bytes or words in their place."""
    match row["type"]:
        case "text":
            return Text(row["text"], _data_from_json(row))
        case "thinking":
            return Thinking(row["text"], _data_from_json(row))
        case "tool_call":
            name = join_name(row.get("service"), row["name"])
            return ToolCall(row["id"], name, row["arguments"], row.get("malformed"), _data_from_json(row))
        case "tool_result":
            parts = (part_from_json(part, media) for part in row["parts"])
            inner = tuple(part for part in parts if isinstance(part, Text | Media))
            return ToolResult(row["tool_call_id"], inner, bool(row["is_error"]))
        case _:
            return media(row)


def message_from_json(role: Role, rows: Iterable[Mapping[str, Any]], media: MediaReader = inline_media) -> Message:
    return Message(role, tuple(part_from_json(row, media) for row in rows))


def public(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in _PRIVATE} for row in rows]


def join_name(service: str | None, name: str) -> str:
    return f"{service}{SEPARATOR}{name}" if service else name


def split_name(qualified: str) -> tuple[str | None, str]:
    """A slug holds no `__`, so the first one divides; a name without it belongs to no service."""
    service, separator, name = qualified.partition(SEPARATOR)
    return (service, name) if separator and service and name else (None, qualified)


def _data_to_json(data: ProviderData | None) -> dict[str, Any]:
    return {} if data is None else {"provider_data": {"provider": data.provider, "model": data.model, "data": dict(data.data)}}


def _data_from_json(row: Mapping[str, Any]) -> ProviderData | None:
    data = row.get("provider_data")
    return None if data is None else ProviderData(data["provider"], data["model"], data["data"])
