"""Receiving a file: look at it, hash it, write it to the storage. What it is, its bytes say; how large it may be, settings say.

The storage may be a network away, so this happens outside any transaction. The row comes afterwards (attachments.py); a file
whose row never came is discarded by who received it.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.files.storage import storages
from django.db.models import Sum
from django.utils import timezone

from agent.media import Damaged, Sniffed, Unknown, dimensions, is_text, sniff
from agent.models import Attachment
from agent.models.attachment import discard_file
from llmconfig.tenancy.errors import Conflict, Invalid, TooLarge, Unavailable

if TYPE_CHECKING:
    from uuid import UUID

    from django.core.files import File

logger = logging.getLogger(__name__)
NAME_LENGTH = 200
_KINDS = {"image": "an image", "document": "a document", "audio": "a sound", "video": "a video", "text": "a text file"}


@dataclass(frozen=True, slots=True)
class Received:
    """A file that was looked at and written. path: "" when the owner has these bytes already, and nothing was written."""

    organization_id: UUID
    owner_id: UUID
    sniffed: Sniffed
    name: str
    size: int
    sha256: str
    path: str
    pixels: tuple[int, int] | None = None

    def discard(self) -> None:
        if self.path:
            discard_file(self.path)


def receive_file(file: File[bytes], *, organization_id: UUID, owner_id: UUID, name: str = "") -> Received:
    """Look at a file and write it to the storage. Not inside a transaction.

    Raises Invalid, TooLarge, Conflict (`storage_full`), and Unavailable when the storage fails.
    """
    sniffed, pixels = examine(file, name)
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    sha256 = digest.hexdigest()
    name = clean_name(name) or f"{sniffed.kind}{sniffed.suffix}"
    path = "" if _is_kept(file, organization_id, owner_id, sha256) else _write(file, organization_id)
    return Received(organization_id, owner_id, sniffed, name, file.size, sha256, path, pixels)


def _write(file: File[bytes], organization_id: UUID) -> str:
    _check_quota(organization_id, file.size)
    return _save(f"{organization_id}/{uuid.uuid4().hex}", file)


def _save(path: str, file: File[bytes]) -> str:
    """Where it then lies. Raises Unavailable, whatever the storage's client raised: a full disk leaves half of a file, which goes."""
    file.seek(0)
    try:
        saved: str = storages["attachments"].save(path, file)
    except Exception:
        logger.exception("A file of %d bytes could not be written to the storage", file.size)
        discard_file(path)
        raise Unavailable("The file could not be stored: the storage of files is full or away. Try again later.", retry_after=60) from None
    return saved


def _is_kept(file: File[bytes], organization_id: UUID, owner_id: UUID, sha256: str) -> bool:
    """Whether the owner has these bytes already; they then count as sent now, and are not swept meanwhile. Lost ones are put back."""
    known = Attachment.objects.filter(organization_id=organization_id, owner_id=owner_id, sha256=sha256)
    if not known.update(used_at=timezone.now()):
        return False
    path, storage = known.values_list("path", flat=True).first(), storages["attachments"]
    if path and not storage.exists(path):
        _save(path, file)
    return path is not None


def examine(file: File[bytes], name: str = "") -> tuple[Sniffed, tuple[int, int] | None]:
    """What the file is and, of an image, its pixels. Raises Invalid and TooLarge."""
    called = f"“{clean_name(name)}”" if clean_name(name) else "The file"
    if not file.size:
        raise Invalid(f"{called} is empty.", code="empty", attr="file")
    if file.size > max(settings.MAX_BYTES.values()):
        raise TooLarge(f"{called} has {megabytes(file.size)}; no file may have more than {megabytes(max(settings.MAX_BYTES.values()))}.")
    try:
        sniffed = sniff(file, name)  # type: ignore[arg-type]  # a File reads and seeks like any other
    except Unknown as unknown:
        looks = f" It looks like this: {unknown.looks_like}." if unknown.looks_like else ""
        raise Invalid(f"{called} is of no type that can be sent.{looks} {TAKEN}", code="unsupported_type", attr="file") from None
    kind = "text" if is_text(sniffed.media_type) else sniffed.kind
    if file.size > settings.MAX_BYTES[kind]:
        raise TooLarge(f"{called} has {megabytes(file.size)}; {_KINDS[kind]} may have {megabytes(settings.MAX_BYTES[kind])}.")
    return sniffed, _pixels(file, sniffed, called) if sniffed.kind == "image" else None


TAKEN = (
    "Send a PNG, JPEG, GIF or WebP image, a PDF, a text file in UTF-8, a sound (WAV, MP3, M4A, AAC, Ogg, FLAC) or a video (MP4, WebM, MOV)."
)


def _pixels(file: File[bytes], sniffed: Sniffed, called: str) -> tuple[int, int]:
    try:
        width, height = dimensions(file, sniffed.media_type)  # type: ignore[arg-type]
    except Damaged:
        raise Invalid(f"{called} is a damaged image.", code="damaged", attr="file") from None
    if width * height > settings.MAX_IMAGE_PIXELS:
        allowed = f"{settings.MAX_IMAGE_PIXELS / 1_000_000:,.0f} million pixels are allowed"
        raise TooLarge(f"{called} has {width:,} by {height:,} pixels; {allowed}. Make it smaller.")
    return width, height


def _check_quota(organization_id: UUID, size: int) -> None:
    """Two uploads at the same moment may pass it together by one file each: a quota bounds a disk, it is no account."""
    if not settings.ATTACHMENTS_QUOTA:
        return
    used = Attachment.objects.filter(organization_id=organization_id).aggregate(sum=Sum("size"))["sum"] or 0
    if used + size > settings.ATTACHMENTS_QUOTA:
        raise Conflict(
            f"The files of this organization take {megabytes(used)} of {megabytes(settings.ATTACHMENTS_QUOTA)}: there is no room for "
            f"{megabytes(size)} more. Delete conversations with large files, or raise ROUTEKIT_ATTACHMENTS_QUOTA_MB.",
            code="storage_full",
        )


def megabytes(size: int) -> str:
    """In words; of what is small, in kilobytes."""
    return f"{size / 1024 / 1024:,.1f} MB" if size >= 100 * 1024 else f"{size / 1024:,.1f} KB"


def clean_name(name: str) -> str:
    """The last part of a path, in characters that show, short enough to store; a long one keeps its end."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(char if char.isprintable() else " " if char.isspace() else "" for char in last).strip(" .")
    if len(shown) <= NAME_LENGTH:
        return shown
    return shown[: NAME_LENGTH - 20] + "…" + shown[-19:]
