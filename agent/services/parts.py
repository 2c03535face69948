"""The parts of a message that a person posts: looked up, kept where they came inline, refused where the model cannot take them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone

from agent.media import is_text
from agent.services.attachments import attachments_for, create_attachment
from agent.services.uploads import examine, megabytes
from llmconfig.services import facts_of, models_for
from llmconfig.tenancy.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from agent.models import Attachment
    from llmconfig.tenancy.caller import Caller

MAX_MEDIA = 20
"""In one message: what the strictest of the vendors takes."""
_NAMED = 5
NONE_CAN = "None of your models can: add a provider under Settings, Providers."
_ARTICLES = {"image": "an image", "document": "a document", "audio": "a sound", "video": "a video"}


@dataclass(frozen=True, slots=True)
class _Medium:
    """A part of the message at `index`. row: the attachment it names; file: the bytes that came inline, of which no row is made yet."""

    index: int
    kind: str
    media_type: str
    name: str
    size: int
    row: Attachment | None = None
    file: ContentFile[bytes] | None = None


def prepare_parts(*, caller: Caller, parts: Sequence[Mapping[str, Any]], config: Any, model: str) -> list[dict[str, Any]]:
    """The parts as a message stores them. Not inside a transaction: inline media go to the storage.

    Raises Invalid, with `attr` naming the part (`parts.1`): `does_not_exist` for an id that is not the caller's, `unsupported_part`
    for what the model cannot take.
    """
    media = _media(caller, parts)
    if not media:
        return [dict(part) for part in parts]
    _check_limits(media.values())
    _refuse_untaken(media.values(), caller=caller, config=config, model=model)
    return [_stored(caller, media[index]) if index in media else dict(part) for index, part in enumerate(parts)]


def texts_of(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    return [part["text"] for part in parts if part["type"] == "text"]


def _media(caller: Caller, parts: Sequence[Mapping[str, Any]]) -> dict[int, _Medium]:
    ids = {part["attachment"] for part in parts if "attachment" in part}
    rows = {row.id: row for row in attachments_for(caller).filter(id__in=ids)} if ids else {}
    found: dict[int, _Medium] = {}
    for index, part in enumerate(parts):
        if part["type"] == "text":
            continue
        medium = found[index] = _named(index, rows.get(part["attachment"])) if "attachment" in part else _inline(index, part)
        if medium.kind != part["type"]:
            raise Invalid(
                f"{_called(medium)} is {_ARTICLES[medium.kind]}, not {_ARTICLES[part['type']]}.", code="invalid", attr=f"parts.{index}.type"
            )
    return found


def _named(index: int, row: Attachment | None) -> _Medium:
    if row is None:
        raise Invalid("There is no such attachment. Upload the file first.", code="does_not_exist", attr=f"parts.{index}.attachment")
    return _Medium(index, row.kind, row.media_type, row.name, row.size, row=row)


def _inline(index: int, part: Mapping[str, Any]) -> _Medium:
    try:
        data = base64.b64decode(part["data"], validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("This is not base64.", code="invalid", attr=f"parts.{index}.data") from None
    file, name = ContentFile(data), part.get("name", "")
    try:
        sniffed, _ = examine(file, name)
    except Invalid as refused:
        raise Invalid(refused.detail, code=refused.code, attr=f"parts.{index}.data") from None
    return _Medium(index, sniffed.kind, sniffed.media_type, name, len(data), file=file)


def _check_limits(media: Collection[_Medium]) -> None:
    sizes = [medium.size for medium in media]
    if len(sizes) > MAX_MEDIA:
        raise Invalid(f"The message has {len(sizes)} files; {MAX_MEDIA} are allowed. Split it.", code="max_length", attr="parts")
    if sum(sizes) > settings.MAX_REQUEST_MEDIA_BYTES:
        together, allowed = megabytes(sum(sizes)), megabytes(settings.MAX_REQUEST_MEDIA_BYTES)
        raise Invalid(f"The files of the message have {together} together; {allowed} are allowed.", code="max_size", attr="parts")


def _refuse_untaken(media: Collection[_Medium], *, caller: Caller, config: Any, model: str) -> None:
    """A text file is read as text, which every model can."""
    facts = facts_of(config, model, at=timezone.now())
    kinds = {medium.kind for medium in media if not is_text(medium.media_type)}
    missing = kinds - facts.capabilities.inputs
    if not missing:
        return
    first = next(medium for medium in media if medium.kind in missing and not is_text(medium.media_type))
    able = [row["label"] for row in models_for(caller) if kinds <= set(row["capabilities"]["inputs"])]
    named = list(dict.fromkeys(able))[:_NAMED]
    then = f"Of your models these can: {', '.join(named)}." if named else NONE_CAN
    raise Invalid(
        f"{_called(first)} is {_ARTICLES[first.kind]}, which {facts.label} cannot read. {then}",
        code="unsupported_part",
        attr=f"parts.{first.index}",
    )


def _stored(caller: Caller, medium: _Medium) -> dict[str, Any]:
    if medium.file is not None:
        return create_attachment(caller=caller, file=medium.file, name=medium.name).as_part()
    assert medium.row is not None  # noqa: S101  # for the type checker: one of the two is there
    return medium.row.as_part()


def _called(medium: _Medium) -> str:
    return f"“{medium.name}”" if medium.name else "This file"
