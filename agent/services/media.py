"""The files of a conversation as a run's model gets them: read once a claim, and only those that will be sent."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from agent.loop.codec import described, inline_media
from agent.media import is_text
from agent.models import Attachment, Message, Run
from agent.services.attachments import open_content
from agent.services.uploads import megabytes
from llmconfig.llm import Media, Text
from llmconfig.services import facts_of
from llmconfig.tenancy.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WantedMedia:
    """What to read. rows: newest first. left_out: ids of what this request has no room for. untaken: of what the model cannot take.

    too_much: why the run cannot begin, where not even the newest message has room.
    """

    rows: tuple[Attachment, ...] = ()
    left_out: frozenset[str] = frozenset()
    untaken: frozenset[str] = frozenset()
    too_much: str = ""


@dataclass(frozen=True, slots=True)
class RunMedia:
    """notices: for the reader of the run. `part` is the codec's reader."""

    found: Mapping[str, Text | Media] = field(default_factory=dict)
    wanted: WantedMedia = WantedMedia()
    notices: tuple[str, ...] = ()

    def part(self, row: Mapping[str, Any]) -> Text | Media:
        id = row.get("attachment")
        if id is None:
            return inline_media(row)
        if id in self.found:
            return self.found[id]
        if id in self.wanted.untaken:
            return Media(row["type"], row["media_type"], b"", row.get("name", ""))  # the repair pass says so in its place
        if id in self.wanted.left_out:
            return Text(f"[{described(row)} was sent earlier and is left out here: the files are too large for one request]")
        return inline_media(row)


def wanted_media(run_id: UUID) -> WantedMedia:
    """Reads rows only."""
    rows = {str(row.id): row for row in Attachment.objects.filter(conversations__runs=run_id)}
    if not rows:
        return WantedMedia()
    run = Run.objects.select_related("config__model_list").get(id=run_id)
    if run.config is None:
        return WantedMedia()
    takes = facts_of(run.config, run.model, at=timezone.now()).capabilities.inputs
    newest, earlier = _named(run)
    untaken = frozenset(id for id, row in rows.items() if row.kind not in takes and not is_text(row.media_type))
    chosen: list[Attachment] = []
    left_out: set[str] = set()
    room = settings.MAX_REQUEST_MEDIA_BYTES
    for id in [*newest, *(id for id in earlier if id not in newest)]:
        row = rows.get(id)
        if row is None or id in untaken:
            continue
        if row.size <= room:
            room -= row.size
            chosen.append(row)
        elif id in newest:
            allowed = megabytes(settings.MAX_REQUEST_MEDIA_BYTES)
            return WantedMedia(too_much=f"The files of the message are larger than one request may carry ({allowed}). Send fewer of them.")
        else:
            left_out.add(id)
    return WantedMedia(tuple(chosen), frozenset(left_out), untaken)


def read_media(wanted: WantedMedia) -> RunMedia:
    """Reads the storage, which may be a network away; needs no database. What is not there any more is left to a note."""
    found: dict[str, Text | Media] = {}
    notices = []
    for row in wanted.rows:
        try:
            found[str(row.id)] = _content(row)
        except NotFound:
            notices.append(f"The file “{row.name}” is gone from the storage: the model is told so and does not see it.")
        except Exception:
            logger.exception("Attachment %s could not be read", row.id)
            notices.append(f"The file “{row.name}” could not be read: the model is told so and does not see it.")
    if wanted.left_out:
        notices.append("Files of earlier messages were left out: together they are too large for one request.")
    return RunMedia(found, wanted, tuple(notices))


def _content(row: Attachment) -> Text | Media:
    with open_content(row) as file:
        data: bytes = file.read()
    if is_text(row.media_type):
        return Text(f"[File “{row.name}”]\n{data.decode('utf-8-sig', 'replace')}\n[End of file “{row.name}”]")
    return Media(row.kind, row.media_type, data, row.name)  # type: ignore[arg-type]


def _named(run: Run) -> tuple[list[str], list[str]]:
    """Ids of the attachments that the conversation's messages name, newest first: what its last message of a person does, and all."""
    newest: list[str] | None = None
    every: dict[str, None] = {}
    for role, parts in Message.objects.filter(conversation=run.conversation_id).order_by("-position").values_list("role", "parts"):
        ids = list(_ids(parts))
        if newest is None and role == Message.Role.USER:
            newest = list(dict.fromkeys(ids))
        every |= dict.fromkeys(ids)
    for result in run.steps.filter(is_finished=False).values_list("tool_calls__result", flat=True):
        every |= dict.fromkeys(_ids([result] if result else []))
    return newest or [], list(every)


def _ids(parts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for part in parts:
        if "attachment" in part:
            yield part["attachment"]
        elif part["type"] == "tool_result":
            yield from _ids(part["parts"])
