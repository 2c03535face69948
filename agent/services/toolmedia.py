"""The media that a tool returned become attachments of the run's owner, so that rows and the event log stay small."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from django.core.files.base import ContentFile

from agent.loop.codec import part_to_json
from agent.media import is_text
from agent.models import Conversation, Run
from agent.services.attachments import keep_file, use_attachments
from agent.services.uploads import Received, receive_file
from llmconfig.llm import Media, Text, ToolResult
from llmconfig.tenancy.connection import release_connection
from llmconfig.tenancy.errors import ServiceError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

logger = logging.getLogger(__name__)
MAX_MEDIA: Final = 20
"""Of one result; the rest is left out with a note."""


@dataclass(frozen=True, slots=True)
class ReceivedResult:
    """A result whose media lie in the storage. files: by the part's place. What could not be taken is a note in `result`."""

    result: ToolResult
    files: Mapping[int, Received]

    def keep(self, run_id: UUID) -> dict[str, Any]:
        """The result as rows hold it; inside their transaction."""
        row = part_to_json(replace(self.result, parts=tuple(part for part in self.result.parts if isinstance(part, Text))))
        if not self.files:
            return row
        kept = {index: keep_file(received) for index, received in self.files.items()}
        conversation = Conversation.objects.get(runs=run_id)
        use_attachments([attachment.id for attachment in kept.values()], conversation)
        parts = enumerate(self.result.parts)
        return row | {"parts": [kept[index].as_part() if index in kept else part_to_json(part) for index, part in parts]}

    def discard(self) -> None:
        for received in self.files.values():
            received.discard()


def receive_result(run_id: UUID, result: ToolResult) -> ReceivedResult:
    """Writes the media of a result to the storage. Not inside a transaction."""
    if not any(isinstance(part, Media) for part in result.parts):
        return ReceivedResult(result, {})
    try:
        return _received(run_id, result)
    finally:
        release_connection()


def _received(run_id: UUID, result: ToolResult) -> ReceivedResult:
    organization, owner = Run.objects.values_list("organization_id", "user_id").get(id=run_id)
    parts: list[Text | Media] = []
    files: dict[int, Received] = {}
    for index, part in enumerate(result.parts):
        if isinstance(part, Text):
            parts.append(part)
            continue
        found = _receive(part, organization, owner) if len(files) < MAX_MEDIA else f"only {MAX_MEDIA} files of a result are kept"
        if isinstance(found, Received):
            files[index] = found
            parts.append(Media(found.sniffed.kind, found.sniffed.media_type, part.data, found.name))
        else:
            parts.append(Text(f"[{part.kind} ({part.media_type}) left out: {found}]"))
    return ReceivedResult(replace(result, parts=tuple(parts)), files)


def _receive(part: Media, organization_id: UUID, owner_id: UUID) -> Received | str:
    """Or why not."""
    try:
        received = receive_file(ContentFile(part.data), organization_id=organization_id, owner_id=owner_id, name=part.name)
    except Unavailable:
        return "it could not be stored"
    except ServiceError as refused:
        return refused.detail
    except Exception:
        logger.exception("What a tool returned could not be stored")
        return "it could not be stored"
    if is_text(received.sniffed.media_type):
        received.discard()
        return "its bytes are text"
    return received
