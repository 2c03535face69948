"""Attachments: files that people sent and tools returned, as messages name them. The bytes lie in the storage `attachments`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.storage import storages
from django.db import models, transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from llmconfig.tenancy.base import TenantModel

if TYPE_CHECKING:
    from uuid import UUID

logger = logging.getLogger(__name__)


class Attachment(TenantModel):
    """One file of one owner, whose bytes are kept once however often they are sent. It is its owner's alone, like what was said with it.

    media_type and kind were told from the bytes. size: bytes. width, height: pixels of an image. path: in the storage, and not the
    user's name for the file. conversations: those that hold a message with it; used_at: when it was last sent.
    """

    class Kind(models.TextChoices):
        IMAGE = "image", "Image"
        DOCUMENT = "document", "Document"
        AUDIO = "audio", "Audio"
        VIDEO = "video", "Video"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="attachments")
    conversations = models.ManyToManyField("agent.Conversation", related_name="attachments", blank=True)
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=60)
    kind = models.CharField(max_length=10, choices=Kind)
    size = models.PositiveBigIntegerField()
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    sha256 = models.CharField(max_length=64)
    path = models.CharField(max_length=200)
    used_at = models.DateTimeField(db_index=True)

    if TYPE_CHECKING:
        owner_id: UUID
        organization_id: UUID

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["owner", "-created_at"], name="attachment_list")]
        constraints = [models.UniqueConstraint(fields=["organization", "owner", "sha256"], name="attachment_bytes_once_per_owner")]

    def __str__(self) -> str:
        return str(self.id)  # a name may tell what its owner alone may know

    def as_part(self) -> dict[str, Any]:
        """The part of a message that names it, as messages store and show it."""
        part = {"type": self.kind, "attachment": str(self.id), "media_type": self.media_type, "name": self.name, "size": self.size}
        return part | ({"width": self.width, "height": self.height} if self.width else {})


@receiver(post_delete, sender=Attachment)
def _delete_file(instance: Attachment, **_: Any) -> None:
    """However the row goes, its bytes go once that is certain. A storage that is away costs a file that nothing names any more."""
    transaction.on_commit(lambda: discard_file(instance.path))


def discard_file(path: str) -> None:
    try:
        storages["attachments"].delete(path)
    except Exception:  # whatever a storage's client raises
        logger.exception("The attachment's file %s could not be deleted", path)
