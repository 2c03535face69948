"""What a tool call brought back, as neutral parts: bounded, and never a type that a page or a model cannot take."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.mcp.definitions import storable
from llmconfig.llm import Media, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mcp_types import BlobResourceContents, CallToolResult, ContentBlock, ResourceLink, TextResourceContents

    from llmconfig.llm import MediaKind

_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,80}")
_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})  # SVG is a document that runs scripts
_DOCUMENTS = frozenset({"application/pdf"})


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """is_error: the tool itself failed; its text says why. truncated: text was cut, and says so where it was."""

    parts: tuple[Text | Media, ...]
    is_error: bool = False
    truncated: bool = False


def read_result(result: CallToolResult, *, text_bytes: int, scrub: Callable[[str], str]) -> ToolOutcome:
    """text_bytes: what all texts together may measure in UTF-8. scrub: masks the service's credentials, should it echo them."""
    parts = [_part(block) for block in result.content]
    if result.structured_content is not None and not any(isinstance(part, Text) for part in parts):
        parts.append(Text(json.dumps(result.structured_content, ensure_ascii=False)))
    if not parts:
        parts.append(Text("[the tool returned nothing]"))
    clean = [Text(scrub(storable(part.text))) if isinstance(part, Text) else part for part in parts]
    kept, truncated = _cut(clean, text_bytes)
    return ToolOutcome(tuple(kept), bool(result.is_error), truncated)


def _part(block: ContentBlock) -> Text | Media:
    match block.type:
        case "text":
            return Text(block.text)
        case "image" | "audio":
            return _media(block.mime_type, block.data, block.type)
        case "resource":
            return _resource(block.resource)
        case "resource_link":
            return Text(_link(block))


def _resource(resource: TextResourceContents | BlobResourceContents) -> Text | Media:
    text: str | None = getattr(resource, "text", None)
    if text is not None:
        return Text(f"[{resource.uri}]\n{text}")
    return _media(resource.mime_type or "", getattr(resource, "blob", ""), resource.uri)


def _link(link: ResourceLink) -> str:
    described = f": {link.description}" if link.description else ""
    return f"[{link.title or link.name}{described}] {link.uri}"


def _media(media_type: str, encoded: str, name: str) -> Text | Media:
    media_type = media_type.partition(";")[0].strip().lower()
    kind = _kind(media_type)
    if kind is None and _is_text(media_type):
        return _encoded_text(encoded, name, media_type)
    if kind is None:
        return Text(f"[{name}: {media_type or 'unknown type'} left out, it cannot be shown]")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return Text(f"[{name}: {media_type} left out, its data is not base64]")
    return Media(kind, media_type, data, storable(name) if "/" in name else "")


def _encoded_text(encoded: str, name: str, media_type: str) -> Text:
    try:
        return Text(f"[{name}]\n{base64.b64decode(encoded, validate=True).decode()}")
    except (binascii.Error, ValueError):
        return Text(f"[{name}: {media_type} left out, its data is not base64 of UTF-8]")


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type == "application/json"


def _kind(media_type: str) -> MediaKind | None:
    if not _MEDIA_TYPE.fullmatch(media_type):
        return None
    if media_type in _IMAGES:
        return "image"
    if media_type in _DOCUMENTS:
        return "document"
    family = media_type.partition("/")[0]
    return "audio" if family == "audio" else "video" if family == "video" else None


def _cut(parts: Sequence[Text | Media], text_bytes: int) -> tuple[Iterable[Text | Media], bool]:
    kept: list[Text | Media] = []
    left, truncated = text_bytes, False
    for part in parts:
        if isinstance(part, Media):
            kept.append(part)
            continue
        encoded = part.text.encode("utf-8", "replace")
        if len(encoded) <= left:
            kept.append(part)
            left -= len(encoded)
            continue
        if not truncated:  # once is enough: a thousand cut parts would be a thousand notes
            head = encoded[:left].decode("utf-8", "ignore")
            kept.append(Text(f"{head}\n[cut here: {len(encoded) - left:,} of {len(encoded):,} bytes left out]"))
        left, truncated = 0, True
    return kept, truncated
